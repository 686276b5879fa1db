// Package conn gives every connection of a server or client the slots of package slot: private, typed data for each
// layer. Any handler finds the data, and it is released exactly once, after the last request that can use it.
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
// [Configure] sets up a server. It returns a function for the server's listeners; TLS belongs around what that returns.
// Configure puts three parts together, which a program can also use on their own. [NewListener] gives connections
// slots. [ConnContext] lets requests find their connection. [Handler] keeps data from being released during a request:
// net/http closes connections while handlers run, and doesn't report when the last of them has returned, so Handler
// counts them.
//
// All this works with TLS, with keep-alive, with Shutdown and Close, and with HTTP/2, with TLS or without, where one
// connection serves many requests at once. A hijacked connection, such as a WebSocket, belongs to the code that
// hijacked it: its data is released when that code closes it.
//
// # Clients
//
// [DialContext] wraps a dial function, and so gives slots to the connections of http.Transport, pgx or any other
// client. OnOpen hooks get the context of the dial. With [slot.Slot.WithValue] the caller hands a value to one of them.
// [Trace] returns the connection that a response came over, and [From] finds the Conn in the net.Conn that a client
// shows.
//
// # Layers
//
// A layer is the code that asked for a slot. Layers don't know of each other: they open in the order in which they
// asked for their slots, and are released in the opposite order. A layer that watches bytes adds an [Observer] in its
// OnOpen. A layer that refuses a connection closes it there. A layer that decides about requests is middleware.
//
// # Promises
//
//   - OnRelease runs exactly once, however a connection ends: closed by either side or both, reset, timed out, failed
//     in its TLS handshake, hijacked, ended by a panic or a shutdown. It runs after the requests that use the data.
//   - A connection whose slots are not used costs one allocation at accept. To find a slot from a request costs none.
//   - A connection with slots has exactly the abilities of the connection below that a type assertion finds: deadlines,
//     CloseWrite, CloseRead, SyscallConn, packets. [Conn.NetConn] leads to all others. Between files and TCP
//     connections, io.Copy uses sendfile and splice, observed or not.
//   - A hook or an observer that panics is logged. The others still run.
//   - [slot.Table.Figures] says how many connections are open, and how many were opened and released. The package
//     starts no goroutine.
package conn
