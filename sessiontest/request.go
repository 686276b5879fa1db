package sessiontest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/lazysession/session"
)

// NewRequest returns a request, as httptest.NewRequest does, that carries a session of m which fill has filled:
// keys, counters and session.FromContext work on its context. With a nil fill, or one that writes nothing, there is no
// session: the request is a new visitor's. An error of fill ends the test.
func NewRequest(
	t testing.TB, m *session.Manager, method, target string, body io.Reader, fill func(context.Context) error,
) *http.Request {
	t.Helper()
	req := httptest.NewRequest(method, target, body)
	if fill == nil {
		return req
	}
	res, made, err := serveFill(m, newHidden(t.Context(), req), fill)
	if err != nil {
		t.Fatalf("sessiontest: filling the session: %v", err)
	}
	receive(req, res)
	if made && !carriesSession(t, m, req) {
		t.Fatal("sessiontest: the request carries no session: " +
			"a Carrier other than the cookie and session.BearerHeader needs a request of your own")
	}
	return req
}

// serveFill runs fill as the handler of a request, and returns the response to it and whether there was a session in the
// end.
func serveFill(
	m *session.Manager, req *http.Request, fill func(context.Context) error,
) (res *http.Response, made bool, err error) {
	rec := httptest.NewRecorder()
	m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		made, err = fillAndCommit(r.Context(), m, fill)
	})).ServeHTTP(rec, req)
	return rec.Result(), made, err
}

// newHidden returns a request of this package's own that comes the way of another, for the cookie may depend on it
// (session.SecureAuto). It says that it came over TLS where only a warning about a Secure cookie hangs on it.
func newHidden(ctx context.Context, like *http.Request) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://sessiontest.invalid/", nil)
	r.TLS, r.RemoteAddr = like.TLS, like.RemoteAddr
	r.Header.Set("Forwarded", "proto=https")
	return r
}

// fillAndCommit commits by hand, since the middleware would tell a failure to Config.OnError alone.
func fillAndCommit(ctx context.Context, m *session.Manager, fill func(context.Context) error) (made bool, err error) {
	if err := fill(ctx); err != nil {
		return false, err
	}
	s := m.Session(ctx)
	if err := s.Commit(ctx); err != nil {
		return false, fmt.Errorf("commit: %w", err)
	}
	return s.Exists()
}
