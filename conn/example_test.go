package conn_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/lazysession/session/conn"
	"github.com/lazysession/session/slot"
)

// count is the hook of a layer that counts something on each connection.
func count(context.Context, *atomic.Int64) *atomic.Int64 { return new(atomic.Int64) }

// fetch makes a request and returns what came back.
func fetch(client *http.Client, url string) string {
	resp, err := client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return string(body)
}

// A handler counts the requests on its connection.
func Example() {
	var table slot.Table
	released := make(chan int64, 1)
	visits, err := slot.New(&table, "example.com/app.visits", slot.Hooks[atomic.Int64]{
		OnOpen:    count,
		OnRelease: func(_ context.Context, n *atomic.Int64) { released <- n.Load() },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	visit := func(w http.ResponseWriter, r *http.Request) {
		n, err := visits.Get(conn.FromContext(r.Context()))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, "visit ", n.Add(1))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	srv := &http.Server{Handler: http.HandlerFunc(visit)}
	withSlots := conn.Configure(srv, &table)
	go srv.Serve(withSlots(l))

	client := &http.Client{Transport: &http.Transport{}}
	fmt.Println(fetch(client, "http://"+l.Addr().String()))
	fmt.Println(fetch(client, "http://"+l.Addr().String()))
	_ = srv.Shutdown(context.Background())
	client.CloseIdleConnections()
	fmt.Println("released after", <-released, "visits")
	// Output:
	// visit 1
	// visit 2
	// released after 2 visits
}

// A meter is a layer that counts bytes: it observes each connection that opens.
type meter struct{ in, out atomic.Int64 }

func (m *meter) OnRead(n int64, _ error)  { m.in.Add(n) }
func (m *meter) OnWrite(n int64, _ error) { m.out.Add(n) }

func openMeter(ctx context.Context, _ *meter) *meter {
	m := new(meter)
	_ = conn.FromContext(ctx).Observe(m)
	return m
}

func ExampleConn_Observe() {
	var table slot.Table
	meters, _ := slot.New(&table, "example.com/meter", slot.Hooks[meter]{OnOpen: openMeter})

	ours, theirs := net.Pipe()
	c, _ := conn.New(context.Background(), ours, &table)
	defer c.Close()
	go io.WriteString(theirs, "hello")
	_, _ = c.Read(make([]byte, 10))

	m, _ := meters.Get(c)
	fmt.Println(m.in.Load(), "bytes in,", m.out.Load(), "out")
	// Output: 5 bytes in, 0 out
}

// A quota is a layer that refuses requests in its middleware, and connections by closing them when they open.
type quota struct{ left atomic.Int32 }

// Each connection of this server may make two requests. The layer is middleware. The program puts the parts of
// Configure together itself.
func ExampleHandler() {
	var table slot.Table
	quotas, _ := slot.New(&table, "example.com/quota", slot.Hooks[quota]{
		OnOpen: func(context.Context, *quota) *quota { q := new(quota); q.left.Store(2); return q },
	})
	limit := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if q, err := quotas.Get(conn.FromContext(r.Context())); err != nil || q.left.Add(-1) < 0 {
				http.Error(w, "too many", http.StatusTooManyRequests)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") })
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	srv := &http.Server{Handler: conn.Handler(limit(hello)), ConnContext: conn.ConnContext(nil)}
	go srv.Serve(conn.NewListener(l, &table))
	defer srv.Close()

	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for range 3 {
		fmt.Print(fetch(client, "http://"+l.Addr().String()))
	}
	// Output:
	// hello
	// hello
	// too many
}

// The program's own ConnContext stays: it is called with a context in which FromContext finds the connection.
func ExampleConnContext() {
	type peerKey struct{}
	own := func(ctx context.Context, nc net.Conn) context.Context {
		return context.WithValue(ctx, peerKey{}, nc.RemoteAddr())
	}
	srv := &http.Server{ConnContext: conn.ConnContext(own)}
	ours, _ := net.Pipe()
	fmt.Println(srv.ConnContext(context.Background(), ours).Value(peerKey{}))
	// Output: pipe
}

// The caller of a request names its tenant. The layer gets that name when the connection is dialled. For pgx, set the
// DialFunc of its configuration in the same way.
func ExampleDialContext() {
	var table slot.Table
	tenants, _ := slot.New(&table, "example.com/tenant", slot.Hooks[string]{})
	transport := &http.Transport{DialContext: conn.DialContext(nil, &table)}
	defer transport.CloseIdleConnections()

	l, _ := net.Listen("tcp", "127.0.0.1:0")
	srv := &http.Server{}
	go srv.Serve(l)
	defer srv.Close()

	acme := "acme"
	ctx, connection := conn.Trace(tenants.WithValue(context.Background(), &acme))
	req, _ := http.NewRequestWithContext(ctx, "GET", "http://"+l.Addr().String(), nil)
	resp, err := transport.RoundTrip(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	name, _ := tenants.Get(connection())
	fmt.Println(*name)
	// Output: acme
}

// A hijacked connection and its data belong to the code that hijacked it. It keeps the Conn, or finds it with From.
func ExampleFrom() {
	var table slot.Table
	visits, _ := slot.New(&table, "example.com/app.visits", slot.Hooks[atomic.Int64]{OnOpen: count})
	ours, _ := net.Pipe()
	c, _ := conn.New(context.Background(), ours, &table)
	var hijacked net.Conn = c // or a *tls.Conn around it

	n, _ := visits.Get(conn.From(hijacked))
	fmt.Println(n.Add(1))
	hijacked.Close()
	_, err := visits.Get(conn.From(hijacked))
	fmt.Println(errors.Is(err, slot.ErrReleased))
	// Output:
	// 1
	// true
}

// This is a mistake: TLS below the slots, where net/http finds neither HTTP/2 nor Request.TLS. The first Accept returns
// an error. ServeTLS(conn.NewListener(l, &table), …) is right.
func ExampleNewListener_incorrect() {
	var table slot.Table
	below, _ := net.Listen("tcp", "127.0.0.1:0")
	go net.Dial("tcp", below.Addr().String())

	err := new(http.Server).Serve(conn.NewListener(tls.NewListener(below, &tls.Config{}), &table))
	fmt.Println(strings.HasPrefix(err.Error(), "conn: *tls.Conn has TLS inside"))
	// Output: true
}
