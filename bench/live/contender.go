package main

import (
	"net/http"
)

// A contender makes the handler of a site with sockets. "/echo" sends each message back to its sender, "/fan" sends it
// to all sockets of that path, "/idle" takes sockets that say nothing, and "/queue" is a "/fan" where a reader that
// stops
// must not hold up the others.
type contender struct {
	name string
	site func() (http.Handler, error)
}

const (
	ours   = "session/live"
	coder  = "coder/websocket"
	gorill = "gorilla hub"
)

var contenders = []contender{{coder, coderSite}, {gorill, gorillaSite}, {ours, ourSite}}
