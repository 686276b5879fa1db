// Forum is a small message board that shows what sessions are for: visits counted for each visitor, a login, messages
// shown once, drafts that survive the login, and a list of the devices on which a user is logged in.
//
//	go run ./example/forum
//
// It keeps everything in memory and needs nothing else. Its login is a demo: it has no passwords.
//
// With -store postgres://… and -keys it keeps everything in a database, and any number of forums behind a load balancer
// are one site; "make farm" starts three of them. Its balancer asks them at /readyz and /livez.
//
// Where to read on:
//
//   - forums.go, atonce.go: a counter that is exact however many requests come at once
//   - login.go: what to call at login and at logout
//   - flash.go: messages shown once
//   - errors.go: what to answer when the session, or anything else, can't be used
//   - view.go: pages that go on without the session when it can't be reached
//   - devices.go: "your sessions", "log out everywhere else"
//   - usage.go: how much of the store a request uses
//   - connections.go, traffic.go, ratelimit.go: what is kept of a connection, by layers that don't know of each other
//   - storage.go, postgres.go: memory or a database, and nothing else changes
//   - health.go: what a load balancer asks
//   - live.go, liveforum.go, liveroom.go: pages that follow what happens, and rooms for two; of one server each
//   - app.go, routes.go: how it is put together
package main
