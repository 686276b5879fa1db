package session

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/lazysession/session/internal/ctxkey"
	"github.com/lazysession/session/service"
)

// Handler wraps next so that its requests have a session: FromContext and keys find it. With chi: r.Use(m.Handler).
//
// Until the session is used, that costs one allocation and nothing else: no cookie is read, no store is called, no
// header is added. Changes are committed before the first byte of the response, so that a client which has the response
// can rely on them. If they can't be, what the handler writes is thrown away and Config.OnError answers; so too where
// an operation of the session has failed, the handler has overlooked it, and the response would be a success: see
// Session.Degrade. Informational responses (1xx) don't commit, except 101.
//
// An answer of OnError goes out complete and at once, also while the handler streams on; in HTTP/2 the stream ends when
// the handler returns. The header is then as it was before the handler, and what the handler has set is gone. Writes of
// the handler fail from then on; so does httputil.ReverseProxy, which aborts by http.ErrAbortHandler: Handler ends that
// panic, for the client was answered.
//
// After the first byte, changes of an existing session are committed when the handler returns; a failure can then only
// be logged, so handlers that stream and must know call Session.Commit. A panic in the handler commits nothing and
// passes on as it is.
//
// The ResponseWriter that next gets has the optional methods of the server's own: Flush, Hijack, ReadFrom, Push.
func (m *Manager) Handler(next http.Handler) http.Handler { return &middleware{m, next} }

// A middleware is a type with a method, not a closure, for the sake of escape analysis: with a closure the request's
// copy would be a second allocation.
type middleware struct {
	m    *Manager
	next http.Handler
}

func (h *middleware) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{w: w, undo: undoOf(w.Header())}
	x.lines = r.Header[h.m.header] // now, for the handler may change the map while others look for the session
	x.overTLS = h.m.auto != nil && h.m.auto.overTLS(r)
	x.session.m, x.session.x, x.session.ctx = h.m, x, r.Context()
	x.req = *r.WithContext((*requestContext)(x)) // the copy that WithContext makes stays on the stack

	defer x.release(r) // also when the handler panics
	h.next.ServeHTTP(x.writer(), &x.req)
	x.finish()
}

// release closes the session, and gives net/http the request's temporary files, which it removes after the request that
// it knows. A handler that is aborted because its response was refused has been answered for: its connection may go on.
func (x *exchange) release(r *http.Request) {
	r.MultipartForm = x.req.MultipartForm
	if !x.session.in(closed) {
		x.session.phase.Or(closed)
	}
	if x.refusal() == nil {
		x.undo.free()
		return
	}
	x.dropTrailers()
	x.endAbort(recover())
}

// dropTrailers removes the trailers of a handler that has kept the header from before the refusal.
func (x *exchange) dropTrailers() {
	isTrailer := func(name string, _ []string) bool { return strings.HasPrefix(name, http.TrailerPrefix) }
	maps.DeleteFunc(x.w.Header(), isTrailer)
}

// endAbort passes a panic on, unless it is http.ErrAbortHandler: so httputil.ReverseProxy ends a handler whose writes
// fail.
func (x *exchange) endAbort(p any) {
	if p != nil && p != http.ErrAbortHandler {
		panic(p)
	}
}

// A requestContext is an exchange as the context of its request.
type requestContext exchange

func (c *requestContext) parent() context.Context { return c.session.ctx }

func (c *requestContext) Deadline() (time.Time, bool) { return c.parent().Deadline() }

func (c *requestContext) Done() <-chan struct{} { return c.parent().Done() }

func (c *requestContext) Err() error { return c.parent().Err() }

// Value knows the session, under the key of FromContext and under its Manager, and the registry of services. Under the
// Manager's own registry it returns the context outside of the Manager, where a query goes on for what that registry
// does not have.
func (c *requestContext) Value(key any) any {
	switch key := key.(type) {
	case contextKey:
		return &c.session
	case ctxkey.Registry:
		return c.session.m.cfg.Services
	case *service.Registry:
		if key == c.session.m.ownServices {
			return c.parent()
		}
	case *Manager:
		if key == c.session.m {
			return &c.session
		}
	}
	return c.parent().Value(key)
}

// Format keeps what the exchange knows, tokens among it, out of a log that somebody prints a context into.
func (c *requestContext) Format(f fmt.State, _ rune) {
	fmt.Fprint(f, "session.Handler(", c.parent(), ")")
}

// Format does so for a response writer.
func (x *exchange) Format(f fmt.State, _ rune) { fmt.Fprint(f, "session.ResponseWriter") }
