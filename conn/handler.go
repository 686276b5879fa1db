package conn

import "net/http"

// Handler wraps next so that its requests see the data of their connection, and keep it from being released until they
// are done. With chi: r.Use(conn.Handler).
//
// The peer, a write error or Server.Close can close a connection while requests are served, in HTTP/2 several at once,
// and net/http tells nobody when the last has returned: Handler counts them. So it belongs around everything that uses
// the data; wrapping twice does no harm. A handler that runs the next one in a goroutine and doesn't wait for it, as
// http.TimeoutHandler does, needs another Handler inside.
//
// It allocates nothing. Requests of other connections pass through. A request that begins when its connection is closed
// and its data released is aborted, as nobody is left to be answered.
func Handler(next http.Handler) http.Handler { return pinned{next} }

type pinned struct{ next http.Handler }

func (h pinned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c := find(r.Context()); c != nil {
		if !c.Pin() {
			panic(http.ErrAbortHandler)
		}
		defer c.Unpin() // also when the handler panics
	}
	h.next.ServeHTTP(w, r)
}
