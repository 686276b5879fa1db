package conn_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/lazysession/session/conn"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/slot"
)

// Configure does all three things, and keeps what the program has set.
func TestConfigure(t *testing.T) {
	type key struct{}
	teapot := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusTeapot) })
	for name, h := range map[string]http.Handler{"own": teapot, "wrapped already": conn.Handler(teapot), "nil": nil} {
		t.Run(name, func(t *testing.T) {
			w := newWitness(t)
			srv := &http.Server{Handler: h, ConnContext: func(ctx context.Context, nc net.Conn) context.Context {
				return context.WithValue(ctx, key{}, conn.FromContext(ctx))
			}}
			below, err := net.Listen("tcp", "127.0.0.1:0")
			expect.NoError(t, err)
			l := conn.Configure(srv, &w.table)(below)
			defer l.Close()

			// 1. The listener gives slots.
			out, err := net.Dial("tcp", l.Addr().String())
			expect.NoError(t, err)
			defer out.Close()
			nc, err := l.Accept()
			expect.NoError(t, err)
			_, err = w.lives.Get(conn.From(nc))
			expect.NoError(t, err)

			// 2. FromContext finds the connection, also in the program's own function.
			ctx := srv.ConnContext(t.Context(), nc)
			expect.Equal(t, "connection in the context", conn.FromContext(ctx), conn.From(nc))
			expect.Equal(t, "connection in the program's own", ctx.Value(key{}), any(conn.From(nc)))

			// 3. The handler is called while the data is pinned; nil is http.DefaultServeMux.
			want := http.StatusTeapot
			if h == nil {
				want = http.StatusNotFound
			}
			rec := httptest.NewRecorder()
			srv.Handler.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, "GET", "/nowhere", nil))
			expect.Equal(t, "status", rec.Code, want)
			expect.NoError(t, nc.Close())
			defer func() { expect.Equal(t, "panic after the release", recover(), any(http.ErrAbortHandler)) }()
			srv.Handler.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, "GET", "/nowhere", nil))
		})
	}
}

// Each part does its own work and no more: ConnContext leaves the server's handler as it is.
func TestConnContextLeavesTheHandlerAlone(t *testing.T) {
	ours, _ := net.Pipe()
	c, err := conn.New(t.Context(), ours, new(slot.Table))
	expect.NoError(t, err)
	srv := new(http.Server)
	conn.ConnContext(nil)(context.WithValue(t.Context(), http.ServerContextKey, srv), c)
	expect.Equal(t, "handler", srv.Handler, nil)
}
