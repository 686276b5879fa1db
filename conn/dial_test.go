package conn_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/conn"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/slot"
)

// A label is the value that a caller hands to a connection that it dials.
type label struct{ text string }

// A labelled is the client side of a test: a table with the witness and the slot for labels.
type labelled struct {
	*witness
	labels slot.Slot[label]
}

func newLabelled(t *testing.T) *labelled {
	t.Helper()
	l := &labelled{witness: newWitness(t)}
	var err error
	l.labels, err = slot.New(&l.table, "label", slot.Hooks[label]{OnOpen: func(_ context.Context, handed *label) *label {
		if handed == nil {
			return &label{"none"}
		}
		return &label{handed.text + "!"}
	}})
	expect.NoError(t, err)
	return l
}

func (l *labelled) labelOf(t *testing.T, c *conn.Conn) string {
	t.Helper()
	got, err := l.labels.Get(c)
	expect.NoError(t, err)
	return got.text
}

func TestTransport(t *testing.T) {
	for _, kind := range ways {
		t.Run(kind.name, func(t *testing.T) {
			server, l := newWitness(t), newLabelled(t)
			s := startSite(t, server, kind, counting(server))
			transport := s.client.Transport.(*http.Transport)
			transport.DialContext = conn.DialContext(s.dial, &l.table)

			get := func(text string) *conn.Conn {
				ctx, connection := conn.Trace(l.labels.WithValue(t.Context(), &label{text}))
				expect.Equal(t, "connection before the response", connection(), nil)
				req, err := http.NewRequestWithContext(ctx, "GET", s.url, nil)
				expect.NoError(t, err)
				resp, err := s.client.Do(req)
				expect.NoError(t, err)
				_, err = io.Copy(io.Discard, resp.Body) // an unread body would end the connection
				expect.NoError(t, err)
				resp.Body.Close()
				return connection()
			}
			first := get("first")
			expect.Equal(t, "label", l.labelOf(t, first), "first!")
			second := get("second")
			expect.Equal(t, "connection of the second request", second, first)
			expect.Equal(t, "its label", l.labelOf(t, second), "first!")
			l.wantFigures(1, 0)
			transport.CloseIdleConnections()
			l.wantReleased(1)
			server.wantReleased(1)
			third := get("third")
			expect.Equal(t, "label of a new connection", l.labelOf(t, third), "third!")
			transport.CloseIdleConnections()
			l.wantReleased(2)
		})
	}
}

// A handler that is itself a client: its dial finds the new connection, not the one of the request it serves.
func TestDialInAHandler(t *testing.T) {
	l := newLabelled(t)
	server := newWitness(t)
	back := startSite(t, server, ways[0], counting(server))
	back.client.Transport.(*http.Transport).DialContext = conn.DialContext(back.dial, &l.table)
	w := newWitness(t)
	front := startSite(t, w, ways[0], http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx, connection := conn.Trace(r.Context())
		req, err := http.NewRequestWithContext(ctx, "GET", back.url, nil)
		expect.NoError(t, err)
		resp, err := back.client.Do(req)
		expect.NoError(t, err)
		expect.Equal(t, "label", l.labelOf(t, connection()), "none")
		resp.Body.Close()
		_, err = l.labels.Get(conn.FromContext(r.Context()))
		expect.Error(t, err, slot.ErrOtherTable)
	}))
	_, err := front.get("/")
	expect.NoError(t, err)
}

func TestDialFails(t *testing.T) {
	l := newLabelled(t)
	failure := errors.New("no route")
	fail := func(context.Context, string, string) (net.Conn, error) { return nil, failure }
	_, err := conn.DialContext(fail, &l.table)(t.Context(), "tcp", "x:1")
	expect.Equal(t, "error", err, failure)
	l.wantFigures(0, 0)
}

func TestDialWithTheZeroDialer(t *testing.T) {
	below, err := net.Listen("tcp", "127.0.0.1:0")
	expect.NoError(t, err)
	defer below.Close()
	nc, err := conn.DialContext(nil, nil)(t.Context(), "tcp", below.Addr().String())
	expect.NoError(t, err)
	expect.NoError(t, nc.Close())
}

// A layer refuses a connection by closing it.
func TestLayerRefuses(t *testing.T) {
	var table slot.Table
	_, err := slot.New(&table, "refuses", slot.Hooks[label]{OnOpen: func(ctx context.Context, _ *label) *label {
		conn.FromContext(ctx).Close()
		return nil
	}})
	expect.NoError(t, err)
	w := newWitness(t)
	s := startSite(t, w, ways[0], counting(w))
	s.client.Transport.(*http.Transport).DialContext = conn.DialContext(s.dial, &table)
	_, err = s.client.Get(s.url)
	expect.Error(t, err, net.ErrClosed, "closed by a layer")
	expect.Equal(t, "figures", table.Figures(), slot.Figures{Opened: 1, Released: 1})

	refusing := &witness{t: t}
	refuse := func(ctx context.Context, _ *label) *label {
		conn.FromContext(ctx).Close()
		return nil
	}
	if _, err := slot.New(&refusing.table, "refuses", slot.Hooks[label]{OnOpen: refuse}); err != nil {
		t.Fatal(err)
	}
	site := startSite(t, refusing, ways[0], http.NotFoundHandler())
	if _, err := site.get("/"); err == nil {
		t.Error("a refused connection was served")
	}
	if f := refusing.table.Figures(); f.Open() != 0 || f.Opened == 0 {
		t.Errorf("figures of the server: got %v, want all released", f)
	}
}

func TestPgx(t *testing.T) {
	l := newLabelled(t)
	cfg := pgtest.Pool(t).Config().ConnConfig
	cfg.DialFunc = conn.DialContext(cfg.DialFunc, &l.table)
	c, err := pgx.ConnectConfig(l.labels.WithValue(t.Context(), &label{"database"}), cfg)
	expect.NoError(t, err)
	var one int
	expect.NoError(t, c.QueryRow(t.Context(), "SELECT 1").Scan(&one))
	expect.Equal(t, "label", l.labelOf(t, conn.From(c.PgConn().Conn())), "database!")
	expect.NoError(t, c.Close(t.Context()))
	l.wantReleased(int(l.table.Figures().Opened))
}

// The server ends a connection of a pool. pgx notices, closes the connection, and dials another.
func TestPgxPool(t *testing.T) {
	l := newLabelled(t)
	cfg := pgtest.Pool(t).Config()
	cfg.MaxConns = 1
	cfg.ConnConfig.DialFunc = conn.DialContext(cfg.ConnConfig.DialFunc, &l.table)
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	expect.NoError(t, err)
	defer pool.Close()
	var one int
	expect.NoError(t, pool.QueryRow(t.Context(), "SELECT 1").Scan(&one))
	if _, err = pool.Exec(t.Context(), "SELECT pg_terminate_backend(pg_backend_pid())"); err == nil {
		t.Error("the connection survived its end")
	}
	expect.NoError(t, pool.QueryRow(t.Context(), "SELECT 1").Scan(&one))
	expect.Equal(t, "connections open", l.table.Figures().Open(), 1)
	pool.Close()
	l.wantReleased(int(l.table.Figures().Opened))
}
