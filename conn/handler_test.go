package conn_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/lazysession/session/conn"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/slot"
)

// accepted returns a connection and the context of its requests.
func accepted(t testing.TB, table *slot.Table) (*conn.Conn, context.Context) {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	c, err := conn.New(context.Background(), ours, table)
	expect.NoError(t, err)
	return c, conn.ConnContext(nil)(context.Background(), c)
}

// FromContext returns the connection. After its release, Get returns ErrReleased.
func TestFromContextOutsideOfARequest(t *testing.T) {
	w := newWitness(t)
	c, ctx := accepted(t, &w.table)
	expect.Equal(t, "connection", conn.FromContext(ctx), c)
	expect.NoError(t, c.Close())
	_, err := w.lives.Get(conn.FromContext(ctx))
	expect.Error(t, err, slot.ErrReleased)
}

// In HTTP/2 the server may begin a request that it has read after the connection was closed.
func TestRequestAfterTheRelease(t *testing.T) {
	w := newWitness(t)
	c, ctx := accepted(t, &w.table)
	expect.NoError(t, c.Close())
	defer func() { expect.Equal(t, "panic", recover(), any(http.ErrAbortHandler)) }()
	conn.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("served")
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/", nil))
}

func TestRequestsOfOtherListenersPassThrough(t *testing.T) {
	rec := httptest.NewRecorder()
	conn.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		expect.Equal(t, "connection", conn.FromContext(r.Context()), nil)
		rw.WriteHeader(http.StatusTeapot)
	})).ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	expect.Equal(t, "status", rec.Code, http.StatusTeapot)
}

// http.TimeoutHandler answers while its handler goes on. A Handler inside counts that handler.
func TestTimeoutHandler(t *testing.T) {
	w := newWitness(t)
	goOn, done := make(chan struct{}), make(chan struct{})
	slow := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		defer close(done)
		_, end := w.use(r.Context())
		defer end()
		<-goOn
	})
	s := startSite(t, w, ways[0], http.TimeoutHandler(conn.Handler(slow), 10*time.Millisecond, "too slow"))
	body, err := s.get("/")
	expect.NoError(t, err)
	expect.Equal(t, "answer", body, "too slow")
	s.kill()
	expect.Equal(t, "released", w.table.Figures().Released, 0)
	close(goOn)
	await(t, "the slow handler", done)
	s.wantReleased(1)
}

// Work that outlives its request pins the connection.
func TestPinOutlivesTheRequest(t *testing.T) {
	w := newWitness(t)
	pinned := make(chan *conn.Conn, 1)
	s := startSite(t, w, ways[0], http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		c := conn.FromContext(r.Context())
		expect.Equal(t, "Pin", c.Pin(), true)
		pinned <- c
	}))
	_, err := s.get("/")
	expect.NoError(t, err)
	c := await(t, "the request", pinned)
	s.kill()
	for err = nil; err == nil; { // until the server has seen it
		_, err = c.Read(make([]byte, 1))
	}
	_, err = w.lives.Get(c)
	expect.NoError(t, err)
	c.Unpin()
	s.wantReleased(1)
	_, err = w.lives.Get(c)
	expect.Error(t, err, slot.ErrReleased)
}

func TestContextsOfAConnection(t *testing.T) {
	w := newWitness(t)
	c, ctx := accepted(t, &w.table)
	// A second server: the connection can't be its own parent.
	type key struct{}
	other := conn.ConnContext(nil)(context.WithValue(context.Background(), key{}, 1), c)
	expect.Equal(t, "value of the second context", other.Value(key{}), any(1))
	expect.Equal(t, "value of the first", ctx.Value(key{}), nil)
	expect.Equal(t, "done", ctx.Done(), nil)
	expect.Equal(t, "error", ctx.Err(), nil)
	_, hasDeadline := ctx.Deadline()
	expect.Equal(t, "deadline", hasDeadline, false)
	stringer, ok := ctx.(interface{ String() string })
	expect.Equal(t, "is printed without what is in it", ok && stringer.String() == "context.Background.WithConn", true)
	expect.Equal(t, "connection in the second", conn.FromContext(other), c)
}

func TestBrokenListener(t *testing.T) {
	w := newWitness(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	expect.NoError(t, err)
	l.Close()
	_, err = conn.NewListener(l, &w.table).Accept()
	expect.Error(t, err, net.ErrClosed)
	if _, err := conn.New(t.Context(), nil, &w.table); err == nil {
		t.Error("a nil connection: no error")
	}
}

func TestReadOfAClosedConnection(t *testing.T) {
	w := newWitness(t)
	c, _ := accepted(t, &w.table)
	expect.NoError(t, c.Close())
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Read: got %v, want what the connection below says", err)
	}
}
