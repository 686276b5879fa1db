package conn

import (
	"net"
	"net/http"

	"github.com/lazysession/session/slot"
)

// Configure gives the connections of a server the slots of a table. It does three things, and a program that composes
// them in another way does them itself:
//
//   - it puts [ConnContext] around srv.ConnContext, so that requests find their connection;
//   - it puts [Handler] around srv.Handler, so that no data is released under a request; nil stands for
//     http.DefaultServeMux, as ever;
//   - it returns [NewListener] for the table: the function that gives the connections of a listener their slots.
//
// It is called before the server serves, when its other fields are set:
//
//	withSlots := conn.Configure(srv, &table)
//	err = srv.Serve(withSlots(listener)) // or ServeTLS
func Configure(srv *http.Server, t *slot.Table) (withSlots func(net.Listener) net.Listener) {
	srv.ConnContext = ConnContext(srv.ConnContext)
	if srv.Handler == nil {
		srv.Handler = http.DefaultServeMux
	}
	srv.Handler = Handler(srv.Handler)
	return func(l net.Listener) net.Listener { return NewListener(l, t) }
}
