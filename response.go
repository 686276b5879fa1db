package session

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/lazysession/session/store"
)

// Header returns the header of the response; after the handler's output was thrown away, one that goes nowhere.
func (x *exchange) Header() http.Header {
	if x.thrown == nil {
		return x.w.Header()
	}
	if x.thrown.header == nil {
		x.thrown.header = make(http.Header)
	}
	return x.thrown.header
}

// WriteHeader commits before the final header.
func (x *exchange) WriteHeader(status int) {
	early := !x.begun && informational(status)
	if early || x.begin(status) == nil {
		x.w.WriteHeader(status)
	}
}

// informational reports whether another status follows (RFC 9110, section 15.2). After 101 none does.
func informational(status int) bool {
	return 100 <= status && status < 200 && status != http.StatusSwitchingProtocols
}

func (x *exchange) Write(b []byte) (int, error) {
	if err := x.begin(http.StatusOK); err != nil {
		return 0, err
	}
	return x.w.Write(b)
}

// WriteString is Write without a copy, where the server knows how.
func (x *exchange) WriteString(s string) (int, error) {
	if err := x.begin(http.StatusOK); err != nil {
		return 0, err
	}
	return io.WriteString(x.w, s)
}

func (x *exchange) flush() error {
	if err := x.begin(http.StatusOK); err != nil {
		return err
	}
	return x.controller().Flush()
}

func (x *exchange) readFrom(r io.Reader) (int64, error) {
	if err := x.begin(http.StatusOK); err != nil {
		return 0, err
	}
	return x.w.(io.ReaderFrom).ReadFrom(r)
}

// begin commits before the first byte of the response, once, and sets the headers that follow from it. Where changes are
// lost, OnError answers, unless the handler has noticed and its status says so; begin returns why, then and ever after.
func (x *exchange) begin(status int) error {
	if x.begun {
		return x.refused()
	}
	touched, err := x.session.seal(status)
	x.begun = true // not before: when a store panics and somebody recovers, the response is still to begin
	if touched {
		x.head(err)
	}
	return err
}

// head writes what follows from the session into the response's header. Where changes are lost, it answers.
func (x *exchange) head(lost error) {
	h := x.w.Header()
	if lost != nil {
		x.thrown = &thrown{why: lost}
		discard(h)
	}
	x.session.informClient(h)
	if lost != nil {
		x.answerRefused()
	}
}

// refused returns why the handler's output is thrown away, nil if it is not.
func (x *exchange) refused() error {
	if x.thrown == nil {
		return nil
	}
	return x.thrown.why
}

// answerRefused answers in the place of the handler, whose output is thrown away.
func (x *exchange) answerRefused() {
	m, why := x.session.m, x.thrown.why
	if m.cfg.OnError != nil {
		m.cfg.OnError(x.w, &x.req, why)
		return
	}
	m.answerError(x.w, &x.req, why)
}

// discard removes the headers of a response that is thrown away, and keeps caches from what comes instead.
func discard(h http.Header) {
	for _, name := range describing {
		h.Del(name)
	}
	maps.DeleteFunc(h, func(name string, _ []string) bool { return strings.HasPrefix(name, http.TrailerPrefix) })
	forbidCaching(h)
}

// describing are the headers that speak of the output that is thrown away, or of what it was to do. Others, which may
// come from other middleware, stay.
var describing = []string{
	"Accept-Ranges", "Clear-Site-Data", "Content-Digest", "Content-Disposition", "Content-Encoding", "Content-Language",
	"Content-Length", "Content-Location", "Content-Range", "Content-Type", "Etag", "Expires", "Hx-Location", "Hx-Redirect",
	"Last-Modified", "Location", "Refresh", "Repr-Digest", "Set-Cookie", "Trailer",
}

// finish commits what is left when the handler has returned.
func (x *exchange) finish() {
	s := &x.session
	if s.closeUnused() {
		return
	}
	x.begin(http.StatusOK)
	if err := s.commitLast(); err != nil {
		s.m.log.LogAttrs(s.ctx, slog.LevelError, "session: changes made after the response began are lost", slog.Any("error", err))
	}
}

// seal commits the session before its response begins, and reports whether it was touched. A response with a status of
// success is also refused where a change was lost before: it could say "saved", or "logged out", though the handler was
// told that it is not.
func (s *Session) seal(status int) (touched bool, err error) {
	if s.phase.Or(sealed)&used == 0 {
		return false, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == untouched {
		return false, nil
	}
	err = s.commitUseLocked(s.ctx, s.at, false)
	s.phase.And(^used) // so that commitLast sees whether somebody comes after
	if err != nil {
		s.change = store.Change{} // what is refused must not be committed later
		return true, err
	}
	if status < http.StatusBadRequest {
		return true, s.lost
	}
	return true, nil
}

// informClient writes into the response's header what the client and caches must know of the session. A token that is
// stored is told also where a later change was lost: without it the client would be locked out.
func (s *Session) informClient(h http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	addVary(h, s.carrier().Vary(), s.vary[:0])
	switch {
	case s.tell == tellRemove:
		s.carrier().Remove(h)
	case s.tell == tellToken && s.rec != nil:
		s.sendTokenLocked(h)
	default:
		return
	}
	forbidSharedCaching(h)
}

func (s *Session) sendTokenLocked(h http.Header) {
	signed, err := s.signLocked(s.rec.Lifetime)
	if err != nil { // can't be: the token that the client sent was valid
		s.m.log.LogAttrs(s.ctx, slog.LevelError, "session: signing", slog.Any("error", err))
		return
	}
	s.carrier().Send(h, signed, s.maxAgeLocked())
	s.warnIfInsecureLocked()
	s.warnIfUntrustedLocked()
}

// told reports whether the response's header tells the client of a token or of its end.
func (s *Session) told() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state != untouched && s.tell != tellNothing
}

// maxAgeLocked is how long the client should keep the token: until the browser quits, or for the rest of the lifetime.
// The idle timeout would move with each use, and is the store's to judge.
func (s *Session) maxAgeLocked() time.Duration {
	if !s.rec.Persistent {
		return 0
	}
	end := s.rec.Created.Add(s.rec.Lifetime)
	return max(end.Sub(store.InstantOf(s.m.now())), time.Second)
}

// closeUnused closes the session if nobody has used it since the response began, or at all: there is nothing to commit,
// and nothing to tell the client.
func (s *Session) closeUnused() bool {
	now := s.phase.Load()
	return now&used == 0 && s.phase.CompareAndSwap(now, now|closed)
}

// commitLast commits what came after the response had begun. It closes the session in the same breath: a change by a
// goroutine that has outlived the handler is committed here, or refused.
func (s *Session) commitLast() error {
	if s.phase.Or(closed)&used == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == untouched {
		return nil
	}
	return s.commitUseLocked(s.ctx, store.InstantOf(s.m.now()), false)
}

// warnIfInsecureLocked says, once, why nobody can log in over plain http: browsers drop a Secure cookie without a word.
func (s *Session) warnIfInsecureLocked() {
	if _, ok := s.m.carrier.(cookieCarrier); !ok || s.m.cfg.Cookie.Secure != SecureAlways || overTLS(&s.x.req) {
		return
	}
	s.m.warnInsecure.Do(func() {
		s.m.log.Warn("session: a Secure cookie was issued over plain http, and browsers drop it. Serve TLS, have the proxy"+
			" in front set X-Forwarded-Proto, or for development set Cookie.Secure to session.InsecureForDevelopment",
			slog.String("cookie", s.m.cfg.Cookie.Name), slog.String("host", s.x.req.Host))
	})
}

// overTLS reports whether the client speaks TLS, as far as the server or a proxy says. Only a warning hangs on it.
func overTLS(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") ||
		strings.Contains(strings.ToLower(r.Header.Get("Forwarded")), "proto=https")
}

// answerError is the default OnError.
func (m *Manager) answerError(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusInternalServerError, "The session could not be saved."
	switch {
	case errors.Is(err, ErrUnavailable):
		status, text = http.StatusServiceUnavailable, "Sessions are unavailable. Nothing may have been saved. Try again."
	case errors.Is(err, ErrEnded), errors.Is(err, ErrConflict):
		status, text = http.StatusConflict, "The session has ended or changed meanwhile. Nothing was saved. Load the page again."
	}
	m.log.LogAttrs(r.Context(), slog.LevelError, "session: response refused", slog.Int("status", status),
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Any("error", err))
	if wantsJSON(r) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, "{\"error\":%q}\n", text)
		return
	}
	http.Error(w, text, status)
}

func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "json") && !strings.Contains(accept, "text/html")
}
