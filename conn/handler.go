package conn

import "net/http"

// Handler wraps next so that its requests keep the data of their connection from being released until they are done.
// [Configure] puts it around the server's handler. Wrapping twice does no harm.
//
// The peer, a write error or Server.Close can close a connection while requests are served, in HTTP/2 several at once.
// net/http doesn't report when the last has returned, so Handler counts them. A handler that runs the next one in a
// goroutine and doesn't wait for it, as http.TimeoutHandler and golang.org/x/net/http2/h2c do, needs another Handler
// inside.
//
// Handler allocates nothing. Requests of other connections pass through. A request that begins after the release of its
// connection's data is aborted: the connection is closed, so no answer could reach the client.
func Handler(next http.Handler) http.Handler { return pinned{next} }

type pinned struct{ next http.Handler }

func (h pinned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c := FromContext(r.Context()); c != nil {
		if !c.Pin() {
			panic(http.ErrAbortHandler)
		}
		defer c.Unpin() // also when the handler panics
	}
	h.next.ServeHTTP(w, r)
}
