package conn

import (
	"net"
	"net/http"

	"github.com/lazysession/session/slot"
)

// Configure gives the connections of a server the slots of a table. It does three things, which a program can also do
// itself to compose them in another way:
//
//   - it puts [ConnContext] around srv.ConnContext, so that requests find their connection;
//   - it puts [Handler] around srv.Handler, so that no data is released during a request; a nil srv.Handler stands for
//     http.DefaultServeMux, as always;
//   - it returns a function that calls [NewListener] with the table, which gives the connections of a listener slots.
//
// Call it before the server serves, after its other fields are set:
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
