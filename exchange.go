package session

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/lazysession/session/store"
)

// An exchange is one request and its response: all that the middleware needs for it, in a single allocation. It stands
// for the request's context and for the response's writer by conversion of its pointer.
type exchange struct {
	w       http.ResponseWriter
	begun   bool     // the response has, and its changes are committed
	streams bool     // it began with a Flush
	overTLS bool     // the request came over TLS; known for SecureAuto only
	undo    *undo    // nil where the header was empty, and the response is not thrown away
	lines   []string // of the header that the carrier reads, if it is one of ours
	session Session
	req     http.Request
}

// tokens returns every token in the request. Carriers from outside get it with the context from before this session: one
// that logs with it, by a log handler that asks for the session's ID, would else wait for the lock that is held here.
func (x *exchange) tokens(room []string) []string {
	carrier := x.carrier()
	if c, ok := carrier.(headerCarrier); ok {
		return c.appendFrom(room, x.lines)
	}
	return carrier.AppendTokens(room, x.req.WithContext(x.session.ctx))
}

// carrier returns how the request's token travels.
func (x *exchange) carrier() Carrier {
	m := x.session.m
	if m.auto != nil && !x.overTLS {
		return m.auto.overHTTP
	}
	return m.carrier
}

// Header returns the header of the response; after the handler's output was thrown away, one that goes nowhere.
func (x *exchange) Header() http.Header {
	if x.refusal() == nil {
		return x.w.Header()
	}
	if x.undo.sink == nil {
		x.undo.sink = make(http.Header)
	}
	return x.undo.sink
}

// WriteHeader commits before the final header.
func (x *exchange) WriteHeader(status int) {
	if invalid(status) || !x.begun && informational(status) || x.begin(status) == nil {
		x.w.WriteHeader(status)
	}
}

// invalid reports whether net/http panics at a status.
func invalid(status int) bool { return status < 100 || status > 999 }

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
	x.streams = x.streams || !x.begun
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
// lost, or an operation has failed and the status says success, OnError answers. begin returns why, then and ever after.
func (x *exchange) begin(status int) error {
	if x.begun {
		return x.refusal()
	}
	wasUsed, err := x.session.commitBeforeResponse(status)
	x.begun = true // not before: when a store panics and somebody recovers, the response is still to begin
	switch {
	case err != nil:
		x.refuse(err)
	case wasUsed:
		x.writeSessionHeaders()
	}
	return err
}

// refusal returns why the handler's output is thrown away, nil if it is not.
func (x *exchange) refusal() error {
	if x.undo == nil {
		return nil
	}
	return x.undo.why
}

// writeSessionHeaders writes what follows from the session into the response's header, and lets Managers further out know
// that this is to stay, should they refuse the response.
func (x *exchange) writeSessionHeaders() {
	s := &x.session
	s.informClient(x.w.Header())
	for outer := FromContext(s.ctx).x; outer != nil; outer = FromContext(outer.session.ctx).x {
		outer.keep(s)
	}
}

func (x *exchange) keep(inner *Session) {
	if x.undo == nil {
		x.undo = new(undo)
	}
	x.undo.inner = append(x.undo.inner, inner)
}

// refuse throws the handler's output away and answers in its place: completely, so that the client need not wait for a
// handler that goes on. A handler that streams may go on until its client leaves; in HTTP/1.1 the client is told to, for
// its next request would have to wait for this one's end.
func (x *exchange) refuse(why error) {
	streams := x.streams || strings.HasPrefix(x.w.Header().Get("Content-Type"), "text/event-stream")
	if x.undo == nil {
		x.undo = new(undo)
	}
	x.undo.why = why
	x.undo.restore(x.w.Header())
	if streams && x.req.ProtoMajor == 1 {
		x.w.Header().Set("Connection", "close")
	}
	x.writeSessionHeaders()
	x.answer(why).sendTo(x.w)
	x.controller().Flush() // where it can't, the answer goes out when the handler returns
}

// answer returns what OnError answers. When OnError panics, the standard answer is sent and the panic passes on.
func (x *exchange) answer(why error) *answer {
	onError := x.session.m.cfg.OnError
	if onError == nil {
		x.session.phase.Or(refused)
		return x.standardAnswer(why)
	}
	a := &answer{header: x.w.Header(), why: why}
	returned := false
	defer func() {
		x.session.phase.Or(refused)
		if !returned {
			x.standardAnswer(why).sendTo(x.w)
		}
	}()
	onError(a, &x.req, why)
	x.logLost(x.session.commitChangesOfOnError())
	returned = true
	if a.status == 0 {
		return x.standardAnswer(why)
	}
	return a
}

func (x *exchange) standardAnswer(why error) *answer {
	a := &answer{header: x.w.Header(), why: why}
	answerError(a, &x.req, why, "session: response refused")
	return a
}

// finish commits what is left when the handler has returned.
func (x *exchange) finish() {
	s := &x.session
	if s.closeUnused() {
		return
	}
	x.begin(http.StatusOK)
	x.logLost(s.commitLast())
}

func (x *exchange) logLost(err error) {
	if err != nil {
		s := &x.session
		s.m.log.LogAttrs(s.ctx, slog.LevelError, "session: changes made after the response began are lost", slog.Any("error", err))
	}
}

// informClient writes into the response's header what the client and caches must know of the session. A token that is
// stored is told also where a later change was lost: without it the client would be locked out.
func (s *Session) informClient(h http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	addVary(h, s.x.carrier().Vary(), s.vary[:0])
	switch {
	case s.action == removeToken:
		s.forgetOthersLocked(h)
		s.x.carrier().Remove(h)
	case s.action == sendToken && s.rec != nil:
		s.forgetOthersLocked(h)
		s.sendTokenLocked(h)
	default:
		return
	}
	forbidSharedCaching(h)
}

// forgetOthersLocked has the client remove tokens that it keeps beside the one in use. It comes before the token that is to
// stay, for clients that can't tell one scope from another.
func (s *Session) forgetOthersLocked(h http.Header) {
	if c, ok := s.x.carrier().(cookieCarrier); ok && s.several {
		c.removeOthers(h, s.x.req.Host)
	}
}

func (s *Session) sendTokenLocked(h http.Header) {
	token, err := s.tokenToSendLocked()
	if err != nil { // can't be: the token that the client sent was valid
		s.m.log.LogAttrs(s.ctx, slog.LevelError, "session: signing", slog.Any("error", err))
		return
	}
	s.x.carrier().Send(h, token, s.maxAgeLocked())
	s.warnIfInsecureLocked()
	s.warnIfUntrustedLocked()
}

// tokenToSendLocked returns the signed token that the client is to have. After a renewal that may have been made or not, it
// is the new one: the old one may open nothing any more.
func (s *Session) tokenToSendLocked() (string, error) {
	if s.unsure {
		return s.m.signer.Sign(s.next, s.rec.Lifetime), nil
	}
	return s.signLocked(s.rec.Lifetime)
}

// told reports whether the response's header tells the client of a token or of its end.
func (s *Session) told() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state != untouched && s.action != keepToken
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
