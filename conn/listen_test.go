package conn_test

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/lazysession/session/conn"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/slot"
)

// A panic of the program's own function goes on, and the socket is closed.
func TestListenContextThatPanics(t *testing.T) {
	below, err := net.Listen("tcp", "127.0.0.1:0")
	expect.NoError(t, err)
	w := newWitness(t)
	l := conn.ListenContext(below, &w.table, func(net.Conn) context.Context { panic("out of cheese") })
	defer l.Close()
	out, err := net.Dial("tcp", l.Addr().String())
	expect.NoError(t, err)
	defer out.Close()
	func() {
		defer func() { expect.Equal(t, "panic", recover(), any("out of cheese")) }()
		_, _ = l.Accept()
	}()
	ended := make(chan error, 1)
	go func() { _, err := out.Read(make([]byte, 1)); ended <- err }()
	expect.Equal(t, "what the client reads", await(t, "the end of the connection", ended), io.EOF)
	w.wantFigures(0, 0)
}

func TestListenContextWithoutAContext(t *testing.T) {
	w := newWitness(t)
	below, err := net.Listen("tcp", "127.0.0.1:0")
	expect.NoError(t, err)
	l := conn.ListenContext(below, &w.table, func(net.Conn) context.Context { return nil })
	defer l.Close()
	out, err := net.Dial("tcp", l.Addr().String())
	expect.NoError(t, err)
	defer out.Close()
	in, err := l.Accept()
	expect.NoError(t, err)
	expect.NoError(t, in.Close())
	w.wantFigures(1, 1)
}

// A mixed listener accepts clients with TLS and without. A real one looks at their first bytes; this one alternates.
type mixed struct {
	net.Listener
	config *tls.Config
	next   chan bool // whether the next one is TLS
}

func (l mixed) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err == nil && <-l.next {
		nc = tls.Server(nc, l.config)
	}
	return nc, err
}

// A buffer is a strings.Builder that goroutines share.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// A client of a mixed listener whose connection can't have slots must not end the server for the others.
func TestTLSClientOfAMixedListener(t *testing.T) {
	w := newWitness(t)
	var text buffer
	w.table.Logger = slog.New(slog.NewTextHandler(&text, nil))
	cert, _ := certificate()
	below, err := net.Listen("tcp", "127.0.0.1:0")
	expect.NoError(t, err)
	next := make(chan bool, 3)
	next <- true
	next <- false
	next <- true
	srv := &http.Server{Handler: counting(w)}
	withSlots := conn.Configure(srv, &w.table)
	served := make(chan error, 1)
	go func() {
		served <- srv.Serve(withSlots(mixed{below, &tls.Config{Certificates: []tls.Certificate{cert}}, next}))
	}()
	refused := func() {
		nc, err := net.Dial("tcp", below.Addr().String())
		expect.NoError(t, err)
		defer nc.Close()
		_, err = nc.Read(make([]byte, 1))
		expect.Equal(t, "what the TLS client reads", err, io.EOF)
	}
	refused()
	client := &http.Client{Transport: &http.Transport{}}
	resp, err := client.Get("http://" + below.Addr().String())
	expect.NoError(t, err)
	resp.Body.Close()
	refused()
	client.CloseIdleConnections()
	expect.NoError(t, srv.Shutdown(t.Context()))
	expect.Equal(t, "Serve", await(t, "Serve", served), http.ErrServerClosed)
	w.wantReleased(1)
	lines := strings.Count(text.String(), "a connection was refused")
	if lines != 2 || !strings.Contains(text.String(), "*tls.Conn has TLS inside") {
		t.Errorf("log: got %s, want both TLS clients in it", text.String())
	}
}

type nothing struct{ net.Listener }

func (nothing) Accept() (net.Conn, error) { return nil, nil }

func TestListenerOfNothing(t *testing.T) {
	_, err := conn.NewListener(nothing{}, nil).Accept()
	expect.Text(t, err, "nil connection")
}

// A layer refuses a connection while another layer has it pinned. The dial still fails.
func TestRefusedWhilePinned(t *testing.T) {
	var table slot.Table
	var pinned *conn.Conn
	layer := func(name string, open func(*conn.Conn)) {
		_, err := slot.New(&table, name, slot.Hooks[label]{
			OnOpen: func(ctx context.Context, _ *label) *label { open(conn.FromContext(ctx)); return nil },
		})
		expect.NoError(t, err)
	}
	layer("works on", func(c *conn.Conn) { c.Pin(); pinned = c })
	layer("refuses", func(c *conn.Conn) { c.Close() })
	layer("after", func(*conn.Conn) { t.Error("opened after the refusal") })
	below, err := net.Listen("tcp", "127.0.0.1:0")
	expect.NoError(t, err)
	defer below.Close()
	nc, err := conn.DialContext(nil, &table)(t.Context(), "tcp", below.Addr().String())
	expect.Error(t, err, net.ErrClosed, "closed by a layer")
	expect.Equal(t, "connection", nc, nil)
	expect.Equal(t, "open while pinned", table.Figures().Open(), 1)
	pinned.Unpin()
	expect.Equal(t, "open", table.Figures().Open(), 0)
}

type requestKey struct{}

// A connection of a pool outlives the request that caused its dial. The context of OnRelease has the connection, but
// nothing of that request.
func TestReleaseKnowsTheConnectionOnly(t *testing.T) {
	var table slot.Table
	var atOpen, atRelease context.Context
	_, err := slot.New(&table, "s", slot.Hooks[label]{
		OnOpen:    func(ctx context.Context, _ *label) *label { atOpen = ctx; return nil },
		OnRelease: func(ctx context.Context, _ *label) { atRelease = ctx },
	})
	expect.NoError(t, err)
	ours, _ := net.Pipe()
	c, err := conn.New(context.WithValue(t.Context(), requestKey{}, "a request"), ours, &table)
	expect.NoError(t, err)
	expect.NoError(t, c.Close())
	expect.Equal(t, "request at open", atOpen.Value(requestKey{}), any("a request"))
	expect.Equal(t, "request at release", atRelease.Value(requestKey{}), nil)
	expect.Equal(t, "connection at open", conn.FromContext(atOpen), c)
	expect.Equal(t, "connection at release", conn.FromContext(atRelease), c)
}
