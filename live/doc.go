// Package live gives the sessions of package session live sockets: WebSockets that are numbered both ways, come back by
// themselves on the same or another node, and lose and double nothing on the way.
//
//	m, err := session.New(mem.New(nil), nil)
//	…
//	hub, err := live.New(m, memlog.New(nil), nil)
//	…
//	room := hub.Channel("room", nil)
//	mux.Handle("/live", hub.Handler(live.Endpoint{
//		Open: func(ctx context.Context, s *live.Socket) error {
//			_, err := room.Join(ctx, s, "")
//			return err
//		},
//		Message: func(ctx context.Context, s *live.Socket, m live.Message) error {
//			return room.Send(ctx, m.Data)
//		},
//	}))
//	mux.Handle("/live.js", live.Client())
//	log.Fatal(http.ListenAndServeTLS(":8443", "cert.pem", "key.pem", m.Handler(mux)))
//
// In the page:
//
//	import { connect } from "/live.js";
//	const live = connect("/live");
//	live.on("message", ({ data }) => show(data));
//	await live.send("hello"); // resolves when the server has handled it
//
// # How to think about it
//
// A [Socket] outlives its connections. It has a public [ID] and belongs to one session. When its connection breaks, the
// client connects again, to any node, and goes on where it was; for up to Config.Window it keeps its channels and
// seats.
//
// What is sent to clients belongs to streams: each socket has one of its own, and each [Channel] has one. The messages
// of a stream are numbered 1, 2, 3… and are in the log before they leave. The client remembers how far it got. So
// nothing is queued for a slow client: it is behind in the log, and the hub reads on from there.
//
// What a client sends is numbered by the client. [Endpoint].Message gets each number once, in order. What the handler
// sends is committed together with the number, and only then is the message acknowledged. Until then the client keeps
// it, and sends it again after a break.
//
// Handlers are functions that are called, not a loop with local variables: the next message may come to another node.
// What has to be remembered is in the session, in the state of a channel (see [Channel.Do]), or in your database.
//
// A channel is a group of sockets that the server lets in. It exists while it has members. Its [Rules] can name seats,
// which one socket at a time has, and [Member.Wait] waits until all of them are taken.
//
// # What is promised
//
//   - Each message of a stream reaches a client once, in order, over any number of connections; or the client is told
//     of a gap, and why there is one.
//   - A message that was acknowledged was handled. What its handler sent, and what it changed in the states of
//     channels, is committed with its number, all of it once. Of a handler that fails or panics nothing of this is, and
//     the client's promise rejects. Joins and leaves happen at once, and can be repeated without harm.
//   - A node that has lost a socket to another one can commit nothing for it any more.
//   - A socket is closed when its session ends, expires or is renewed, by whichever request and on whichever node.
//     After a renewal the client comes back with the new cookie. To resume a socket takes its ID and a live token of
//     the same session.
//   - A client's messages count as use of the session, and so does each connection. An open connection does not.
//   - Pages of other origins open no sockets, unless Config.Origins lists them.
//   - A seat has one socket. While its connection is broken, the socket keeps the seat for Config.Window.
//   - Whatever a client sends, it ends at most its own socket. Each limit is in [Config].
//
// # What is not promised
//
//   - The log decides what survives. Package memlog keeps everything in one process: what was committed is gone with
//     it, unless the log was closed with an archive.
//   - Values of the session are stored just before the number of the message, in a step of their own. Where the server
//     dies between the two, or the log refuses the second for a deadlock, the message is handled again: the values are
//     changed at least once. Effects elsewhere (mail, another database) happen at least once, too: the socket's ID and
//     the message's number tell a repetition.
//   - Between two streams there is no order.
//   - A client that comes back with a position above the top of a channel that it is in makes all members be told of a
//     gap, and load again what they show. So members of a channel can disturb each other.
//   - A stream is kept as long as its [Retention] says: 1,000 messages, 1 MiB and 5 minutes unless set. A client that
//     comes back later is told of a gap.
//
// The guide docs/live.md has more: all limits, settings for proxies, and the protocol for other languages.
package live
