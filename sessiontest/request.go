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

// NewRequest returns a request, as httptest.NewRequest does, that carries a new session of m. It calls fill to fill the
// session: keys, counters and session.FromContext work on fill's context. If fill is nil or writes nothing, there is no
// session, and the request is that of a new visitor. An error of fill ends the test.
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

// serveFill runs fill as the handler of a request. It returns the response, and whether there was a session afterwards.
func serveFill(
	m *session.Manager, req *http.Request, fill func(context.Context) error,
) (res *http.Response, made bool, err error) {
	rec := httptest.NewRecorder()
	m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		made, err = fillAndCommit(r.Context(), m, fill)
	})).ServeHTTP(rec, req)
	return rec.Result(), made, err
}

// newHidden returns the request in which fill runs. It has the TLS and the remote address of the request like, since
// the cookie may depend on them (session.SecureAuto). Its Forwarded header claims https, which prevents a warning about
// Secure cookies.
func newHidden(ctx context.Context, like *http.Request) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://sessiontest.invalid/", nil)
	r.TLS, r.RemoteAddr = like.TLS, like.RemoteAddr
	r.Header.Set("Forwarded", "proto=https")
	return r
}

// fillAndCommit commits itself, since the middleware would report a failure only to Config.OnError.
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
