package sessiontest

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/lazysession/session"
)

// After returns a context with the session that the client's next request would have if res was the response to req.
// Read the session with keys, counters and session.FromContext. It stays as it is when After is called, until the end
// of the test. Where there is no session, for example because it has ended, keys return zero values and Session.Exists
// returns false.
//
// After is only for reading. It changes nothing, and does not extend the session's idle time.
func After(t testing.TB, m *session.Manager, req *http.Request, res *http.Response) context.Context {
	t.Helper()
	next := req.Clone(t.Context())
	receive(next, res)
	ctx, done := peek(m, next)
	t.Cleanup(done)
	if _, err := m.Session(ctx).Exists(); err != nil {
		t.Fatalf("sessiontest: reading the session: %v", err)
	}
	return ctx
}

// peek returns the context that a handler of req gets. The request ends when done is called, and commits nothing.
func peek(m *session.Manager, req *http.Request) (ctx context.Context, done func()) {
	next, done := iter.Pull(func(yield func(context.Context) bool) {
		defer abort()
		m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			yield(r.Context())
			panic(http.ErrAbortHandler) // a request that panics commits nothing, not even that the session was seen
		})).ServeHTTP(httptest.NewRecorder(), req)
	})
	ctx, _ = next()
	return ctx, done
}

// abort stops a panic with http.ErrAbortHandler, as a server does.
func abort() {
	if p := recover(); p != nil && p != http.ErrAbortHandler {
		panic(p)
	}
}

// carriesSession reports whether m finds a session in req.
func carriesSession(t testing.TB, m *session.Manager, req *http.Request) bool {
	t.Helper()
	ctx, done := peek(m, req)
	defer done()
	ok, err := m.Session(ctx).Exists()
	if err != nil {
		t.Fatalf("sessiontest: reading the session: %v", err)
	}
	return ok
}
