package conn_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lazysession/session/conn"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/slot"
)

// counting answers with the number of requests on its connection.
func counting(w *witness) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		l, done := w.use(r.Context())
		defer done()
		fmt.Fprintf(rw, "%d HTTP/%d TLS %t", l.requests.Load(), r.ProtoMajor, r.TLS != nil)
	}
}

func TestRequestsFindTheirConnection(t *testing.T) {
	eachWay(t, counting, func(t *testing.T, s *site) {
		for i := range 3 {
			body, err := s.get("/")
			expect.NoError(t, err)
			expect.Equal(t, "answer", body, fmt.Sprintf("%d HTTP/%d TLS %t", i+1, s.kind.proto, s.kind.tls))
		}
		s.wantFigures(1, 0) // idle, kept alive
		s.client.CloseIdleConnections()
		s.wantReleased(1)
	})
}

// A gate holds requests in their handler.
type gate struct {
	entered, leave, left chan struct{}
}

func newGate() *gate {
	return &gate{make(chan struct{}), make(chan struct{}), make(chan struct{}, 100)}
}

func (g *gate) handler(w *witness) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		_, done := w.use(r.Context())
		defer func() { g.left <- struct{}{} }()
		defer done()
		g.entered <- struct{}{}
		<-g.leave
		io.WriteString(rw, "done")
	}
}

// begin starts n requests and waits until all are in their handlers.
func (g *gate) begin(s *site, n int) *sync.WaitGroup {
	s.t.Helper()
	var wg sync.WaitGroup
	for range n { // one after the other, so that in HTTP/2 all use the first one's connection
		wg.Go(func() { _, _ = s.get("/") })
		await(s.t, "request", g.entered)
	}
	return &wg
}

// end lets n requests return, one after the other, and checks that nothing is released before the last has returned.
func (g *gate) end(s *site, n int) {
	s.t.Helper()
	opened := int(s.table.Figures().Opened)
	for range n - 1 {
		g.leave <- struct{}{}
		await(s.t, "end of a request", g.left)
	}
	if s.kind.proto == 2 {
		s.wantFigures(opened, 0)
	}
	g.leave <- struct{}{}
}

// whileServed does something to a site while requests are served, in HTTP/2 several on one connection. Every connection
// must be released, but not while a request uses it: the witness checks that.
func whileServed(t *testing.T, do func(t *testing.T, s *site)) {
	for _, kind := range ways {
		t.Run(kind.name, func(t *testing.T) {
			w, g := newWitness(t), newGate()
			s := startSite(t, w, kind, g.handler(w))
			const n = 5
			requests := g.begin(s, n)
			opened := n
			if kind.proto == 2 {
				opened = 1
			}
			s.wantFigures(opened, 0)
			do(t, s)
			g.end(s, n)
			requests.Wait()
			s.wantReleased(opened)
		})
	}
}

func TestPeerResetsWhileServed(t *testing.T) {
	whileServed(t, func(t *testing.T, s *site) { s.kill() })
}

func TestServerClosesWhileServed(t *testing.T) {
	whileServed(t, func(t *testing.T, s *site) { expect.NoError(t, s.server.Close()) })
}

func TestShutdownWhileServed(t *testing.T) {
	whileServed(t, func(t *testing.T, s *site) {
		down := make(chan error, 1)
		go func() { down <- s.server.Shutdown(context.Background()) }()
		t.Cleanup(func() { expect.NoError(t, await(t, "Shutdown", down)) })
	})
}

// A handler or a layer may close the connection of a request, even more than once.
func TestConnectionClosedByAHandler(t *testing.T) {
	eachWay(t, func(w *witness) http.HandlerFunc {
		return func(_ http.ResponseWriter, r *http.Request) {
			_, done := w.use(r.Context())
			defer done()
			c := conn.FromContext(r.Context())
			expect.NoError(t, c.Close())
			_ = c.Close()
			<-r.Context().Done()
		}
	}, func(t *testing.T, s *site) {
		_, _ = s.get("/")
		s.kill()
		n := int(s.table.Figures().Opened)
		s.wantReleased(n)
	})
}

func TestHandlerPanics(t *testing.T) {
	eachWay(t, func(w *witness) http.HandlerFunc {
		return func(_ http.ResponseWriter, r *http.Request) {
			_, done := w.use(r.Context())
			defer done()
			panic("out of cheese")
		}
	}, func(t *testing.T, s *site) {
		if _, err := s.get("/"); err == nil {
			t.Error("a panic was answered")
		}
		s.client.CloseIdleConnections() // HTTP/2 resets the stream only
		s.wantReleased(int(s.table.Figures().Opened))
	})
}

func TestIdleTimeout(t *testing.T) {
	for _, kind := range ways {
		t.Run(kind.name, func(t *testing.T) {
			w := newWitness(t)
			s := startSite(t, w, kind, counting(w), func(srv *http.Server) { srv.IdleTimeout = 50 * time.Millisecond })
			_, err := s.get("/")
			expect.NoError(t, err)
			s.wantReleased(1)
		})
	}
}

// The peer goes away in the middle of a response: the handler's writes fail, and net/http closes the connection.
func TestWriteError(t *testing.T) {
	eachWay(t, func(w *witness) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			_, done := w.use(r.Context())
			defer done()
			for {
				if _, err := rw.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}
	}, func(t *testing.T, s *site) {
		resp, err := s.client.Get(s.url)
		expect.NoError(t, err)
		_, err = io.CopyN(io.Discard, resp.Body, 1<<20)
		expect.NoError(t, err)
		s.kill()
		resp.Body.Close()
		s.wantReleased(1)
	})
}

// The peer goes away in the middle of a request's body.
func TestReadError(t *testing.T) {
	eachWay(t, func(w *witness) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			_, done := w.use(r.Context())
			defer done()
			rw.(http.Flusher).Flush()
			if _, err := io.Copy(io.Discard, r.Body); err == nil {
				t.Error("the body ended well")
			}
		}
	}, func(t *testing.T, s *site) {
		body, more := io.Pipe()
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			_, _ = more.Write(make([]byte, 100))
			s.kill()
			more.CloseWithError(io.ErrUnexpectedEOF)
		}()
		if resp, err := s.client.Post(s.url, "text/plain", body); err == nil {
			resp.Body.Close()
		}
		body.Close()
		await(t, "end of the body", sent)
		s.wantReleased(int(s.table.Figures().Opened))
	})
}

// A connection without any request is released, too.
func TestConnectionsWithoutRequests(t *testing.T) {
	for _, kind := range ways {
		for name, text := range map[string]string{
			"silent": "", "not HTTP": "\x00\x01\x02\r\n\r\n", "half a request": "GET / HT",
			"plain HTTP": "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		} {
			t.Run(kind.name+", "+name, func(t *testing.T) {
				w := newWitness(t)
				s := startSite(t, w, kind, counting(w))
				nc, err := net.Dial("tcp", strings.TrimPrefix(s.url, kind.scheme()))
				expect.NoError(t, err)
				_, err = io.WriteString(nc, text)
				expect.NoError(t, err)
				_ = nc.(*net.TCPConn).CloseWrite() // unless the server was faster
				_, _ = io.Copy(io.Discard, nc)
				nc.Close()
				s.wantReleased(1)
			})
		}
	}
}

func TestConnContextComposes(t *testing.T) {
	type key struct{}
	for _, kind := range ways {
		t.Run(kind.name, func(t *testing.T) {
			own := func(ctx context.Context, nc net.Conn) context.Context {
				c := conn.FromContext(ctx)
				expect.Equal(t, "connection given", conn.From(nc), c)
				_, isTLS := nc.(*tls.Conn)
				expect.Equal(t, "TLS", isTLS, kind.tls)
				return context.WithValue(ctx, key{}, c)
			}
			h := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				c := conn.FromContext(r.Context())
				fmt.Fprint(rw, r.Context().Value(key{}) == c, c != nil, r.Context().Value(http.ServerContextKey) != nil)
			})
			s := startSite(t, newWitness(t), kind, h, func(srv *http.Server) {
				srv.ConnContext = conn.ConnContext(conn.ConnContext(own)) // twice does no harm
			})
			body, err := s.get("/")
			expect.NoError(t, err)
			expect.Equal(t, "seen in the handler", body, "true true true")
		})
	}
}

func TestForeignConnections(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	expect.Equal(t, "From", conn.From(ours), nil)
	expect.Equal(t, "From nil", conn.From(nil), nil)
	ctx := t.Context()
	expect.Equal(t, "context", conn.ConnContext(nil)(ctx, ours), ctx)
	expect.Equal(t, "FromContext", conn.FromContext(ctx), nil)
	expect.Equal(t, "Pin", conn.FromContext(ctx).Pin(), false)
	conn.FromContext(ctx).Unpin()
	w := newWitness(t)
	_, err := w.lives.Get(conn.FromContext(ctx))
	expect.Error(t, err, slot.ErrNoData, "conn_test.witness")
	if err := conn.FromContext(ctx).Observe(nil); err == nil {
		t.Error("Observe of no connection: no error")
	}
}

// TLS below would hide HTTP/2 and Request.TLS from net/http. The mistake is an error.
func TestListenAroundTLSIsRefused(t *testing.T) {
	w := newWitness(t)
	cert, _ := certificate()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	expect.NoError(t, err)
	srv := &http.Server{}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(conn.NewListener(l, &w.table)) }()
	nc, err := net.Dial("tcp", l.Addr().String())
	expect.NoError(t, err)
	defer nc.Close()
	expect.Text(t, await(t, "Serve", served), "*tls.Conn", "ServeTLS")
	w.wantFigures(0, 0)
}

func TestListenContextHandsToOneLayer(t *testing.T) {
	var table slot.Table
	ports, err := slot.New(&table, "port", slot.Hooks[net.Addr]{})
	expect.NoError(t, err)
	below, err := net.Listen("tcp", "127.0.0.1:0")
	expect.NoError(t, err)
	l := conn.ListenContext(below, &table, func(nc net.Conn) context.Context {
		a := nc.RemoteAddr()
		return ports.WithValue(t.Context(), &a)
	})
	defer l.Close()
	out, err := net.Dial("tcp", l.Addr().String())
	expect.NoError(t, err)
	defer out.Close()
	in, err := l.Accept()
	expect.NoError(t, err)
	defer in.Close()
	a, err := ports.Get(conn.From(in))
	expect.NoError(t, err)
	expect.Equal(t, "handed", (*a).String(), out.LocalAddr().String())
}

func TestNilTable(t *testing.T) {
	below, err := net.Listen("tcp", "127.0.0.1:0")
	expect.NoError(t, err)
	l := conn.NewListener(below, nil)
	defer l.Close()
	out, err := net.Dial("tcp", l.Addr().String())
	expect.NoError(t, err)
	defer out.Close()
	in, err := l.Accept()
	expect.NoError(t, err)
	_, err = newWitness(t).lives.Get(conn.From(in))
	expect.Error(t, err, slot.ErrOtherTable)
	expect.NoError(t, in.Close())
	expect.Equal(t, "Pin of what is released", conn.From(in).Pin(), false)
}

// A server has a second listener, whose connections have no slots. One of them is served while the first connection
// with slots comes.
func TestServerWithAnotherListener(t *testing.T) {
	w := newWitness(t)
	s := startSite(t, w, ways[0], http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		fmt.Fprint(rw, conn.FromContext(r.Context()) != nil)
	}))
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	expect.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(plain) }()
	defer func() { s.stop(); expect.Equal(t, "Serve", await(t, "Serve", served), http.ErrServerClosed) }()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			resp, err := http.Get("http://" + plain.Addr().String())
			if err == nil {
				resp.Body.Close()
			}
		})
		wg.Go(func() {
			if body, err := s.get("/"); err == nil {
				expect.Equal(t, "with slots", body, "true")
			}
		})
	}
	wg.Wait()
	http.DefaultClient.CloseIdleConnections()
}

// Layers share one table. Of two sets of slots on one connection, the lower one would be released during requests,
// since requests find only the upper one.
func TestListenTwiceIsRefused(t *testing.T) {
	w, other := newWitness(t), newWitness(t)
	below, err := net.Listen("tcp", "127.0.0.1:0")
	expect.NoError(t, err)
	l := conn.NewListener(conn.NewListener(below, &w.table), &other.table)
	defer l.Close()
	nc, err := net.Dial("tcp", below.Addr().String())
	expect.NoError(t, err)
	defer nc.Close()
	_, err = l.Accept()
	expect.Text(t, err, "*conn.Conn has slots already")
	w.wantFigures(1, 1)
}

func TestDialOfNothing(t *testing.T) {
	w := newWitness(t)
	dial := conn.DialContext(func(context.Context, string, string) (net.Conn, error) { return nil, nil }, &w.table)
	_, err := dial(t.Context(), "tcp", "nowhere:1")
	expect.Text(t, err, "nil connection")
}
