// Package conn gives every connection of a server or client the slots of package slot: private, typed data for each
// layer, found in any handler, and released exactly once, after the last request that could see it.
//
//	var (
//		table  slot.Table
//		visits slot.Slot[atomic.Int64]
//	)
//
//	func main() {
//		var err error
//		visits, err = slot.New(&table, "example.com/app.visits", slot.Hooks[atomic.Int64]{
//			OnOpen:    func(context.Context, *atomic.Int64) *atomic.Int64 { return new(atomic.Int64) },
//			OnRelease: func(_ context.Context, n *atomic.Int64) { log.Print(n.Load(), " visits") },
//		})
//		if err != nil {
//			log.Fatal(err)
//		}
//		l, err := net.Listen("tcp", "127.0.0.1:8080")
//		if err != nil {
//			log.Fatal(err)
//		}
//		srv := &http.Server{Handler: http.HandlerFunc(visit)}
//		withSlots := conn.Configure(srv, &table)
//		log.Fatal(srv.Serve(withSlots(l)))
//	}
//
//	func visit(w http.ResponseWriter, r *http.Request) {
//		n, err := visits.Get(conn.FromContext(r.Context()))
//		if err != nil {
//			http.Error(w, err.Error(), http.StatusInternalServerError)
//			return
//		}
//		fmt.Fprintf(w, "Visit %d on this connection\n", n.Add(1))
//	}
//
// # Servers
//
// [Configure] does it: once for the server, and then for each of its listeners, below TLS. It is made of three parts,
// for programs that put them together themselves. [NewListener] gives connections slots. [ConnContext] lets requests
// find their connection. [Handler] keeps data from being released under a request: net/http closes connections under
// running handlers and tells nobody when the last of them has returned, so Handler counts them.
//
// Everything that http.Server does is covered: TLS, HTTP/2, where one connection serves many requests at once, also
// without TLS, keep-alive, Shutdown and Close. A hijacked connection, a WebSocket, say, belongs to who hijacked it: its
// data is released when they close it.
//
// # Clients
//
// [DialContext] around a dial function gives http.Transport, pgx or any other client the same. What the caller puts
// into the context of the dial reaches the OnOpen hooks, and [slot.Slot.WithValue] reaches one of them. [Trace] tells
// which connection a response came over, and [From] finds it in whatever the client says its connection is.
//
// # Layers
//
// A layer is whoever asked for a slot. Layers don't know of each other: they are opened in the order in which they
// asked, and released in the opposite order. One that wants to know of bytes adds an [Observer] in its OnOpen; one that
// refuses a connection closes it there; one that decides about requests is middleware.
//
// # Promises
//
//   - OnRelease runs exactly once, however a connection ends: closed by either side or both, reset, timed out, failed in
//     its TLS handshake, hijacked, given up by a panic or a shutdown. Until then, requests that use the data are waited
//     for.
//   - A connection that nobody touches costs one allocation at accept. To find a slot from a request costs none.
//   - What the connection below can do still works, and what it can't do is not there to be asked for: deadlines,
//     CloseWrite, CloseRead, SyscallConn, packets, and all else by [Conn.NetConn]. Between files and
//     TCP connections, sendfile and splice work by io.Copy, observed or not.
//   - A hook or an observer that panics is logged and stops no other.
//   - [slot.Table.Figures] tells operators how many are open, and were opened and released. The package starts no
//     goroutine.
package conn
