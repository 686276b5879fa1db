package session

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
)

// An exchange is one request and its response: all that the middleware needs for it, in a single allocation. It stands
// for the request's context and for the response's writer by conversion of its pointer.
type exchange struct {
	w       http.ResponseWriter
	begun   bool     // the response has, and its changes are committed
	streams bool     // the handler has asked for a Flush
	overTLS bool     // the request came over TLS; known for SecureAuto only
	undo    *undo    // nil where the header was empty, and the response is not thrown away
	lines   []string // of the header that the carrier reads, if it is one of ours
	session Session
	req     http.Request
}

// tokens returns every token in the request. Carriers from outside get it with the context from before this session:
// one that logs with it, by a log handler that asks for the session's ID, would else wait for the lock that is held
// here.
func (x *exchange) tokens(buf []string) []string {
	carrier := x.carrier()
	if carrier.header != nil {
		return carrier.header.appendFrom(buf, x.lines)
	}
	return carrier.AppendTokens(buf, x.req.WithContext(x.session.ctx))
}

// carrier returns how the request's token travels.
func (x *exchange) carrier() *transport {
	m := x.session.m
	if m.auto != nil && !x.overTLS {
		return m.auto.overHTTP
	}
	return m.carrier
}

// Header returns the header of the response; after the handler's output was thrown away, one that goes nowhere.
func (x *exchange) Header() http.Header {
	if x.refusal() != nil {
		return x.undo.sink
	}
	return x.w.Header()
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
	x.streams = true
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

// begin commits before the first byte of the response, once, and sets the headers that follow from it. Where changes
// are lost, or an operation has failed and the status says success, OnError answers. begin returns why, then and ever
// after.
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

// writeSessionHeaders writes what follows from the session into the response's header, and lets Managers further out
// know that this is to stay, should they refuse the response.
func (x *exchange) writeSessionHeaders() {
	x.informClient(x.w.Header())
	for outer := x.outer(); outer != nil; outer = outer.outer() {
		outer.session.keep(x)
	}
}

// outer returns the exchange of the next Manager further out, nil where there is none.
func (x *exchange) outer() *exchange { return FromContext(x.session.ctx).x }

// refuse throws the handler's output away and answers in its place: completely, so that the client need not wait for a
// handler that goes on. A handler that streams may go on until its client leaves; in HTTP/1.1 the client is told to,
// for its next request would have to wait for this one's end.
func (x *exchange) refuse(why error) {
	h := x.w.Header()
	leave := x.req.ProtoMajor == 1 && (x.streams || h.Get("Connection") == "close" ||
		strings.HasPrefix(h.Get("Content-Type"), "text/event-stream"))
	x.undo.restore(h)
	x.undo.free()
	x.undo = &undo{why: why, sink: make(http.Header)}
	if leave {
		h.Set("Connection", "close")
	}
	for inner := range x.session.inner() {
		inner.informClient(h)
	}
	x.answer(why)
}

// answer sends what OnError answers. When OnError panics, the standard answer is sent and the panic passes on.
func (x *exchange) answer(why error) {
	onError := x.session.m.cfg.OnError
	if onError == nil {
		x.send(x.standardAnswer(why))
		return
	}
	a := &answer{header: x.w.Header(), why: why}
	returned := false
	defer func() {
		if !returned || a.status == 0 {
			a = x.standardAnswer(why)
		}
		x.send(a)
	}()
	onError(a, &x.req, why)
	x.logLost(x.session.commitChangesOfOnError())
	returned = true
}

// send sends an answer, with what the client must know of the session after OnError.
func (x *exchange) send(a *answer) {
	x.session.phase.Or(refused)
	x.writeSessionHeaders()
	a.sendTo(x.w)
	if flushesNow(x.w) { // not by Unwrap: a writer between may not have passed the header on
		x.controller().Flush()
	}
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
		s.m.log.LogAttrs(s.ctx, slog.LevelError, "session: changes made after the response began are lost",
			slog.Any("error", err))
	}
}

// informClient writes into a header what the client and caches must know of the session. A token that is stored is told
// also where a later change was lost: without it the client would be locked out.
func (x *exchange) informClient(h http.Header) {
	addVary(h, x.carrier().Vary(), x.session.visit.vary[:0])
	v := x.session.verdict()
	if v.action == keepToken {
		return
	}
	if v.forgetOthers && x.carrier().cookie != nil {
		x.carrier().cookie.removeOthers(h, x.req.Host) // first, for clients that can't tell one scope from another
	}
	if v.action == removeToken {
		x.carrier().Remove(h)
	} else {
		x.carrier().Send(h, v.signed, v.maxAge)
		x.warnOfPlainHTTP()
	}
	forbidSharedCaching(h)
}

// warnOfPlainHTTP says, once, what is wrong with a cookie that was issued over plain http.
func (x *exchange) warnOfPlainHTTP() {
	switch m := x.session.m; {
	case m.carrier.cookie == nil:
	case m.cfg.Cookie.Secure == SecureAlways && !saysTLS(&x.req):
		m.warnInsecure.Do(func() {
			m.log.Warn("session: a Secure cookie was issued over plain http, and browsers drop it. Serve TLS, have the proxy"+
				" in front set X-Forwarded-Proto, or for development set Cookie.Secure to session.InsecureForDevelopment",
				slog.String("cookie", m.cfg.Cookie.Name), slog.String("host", x.req.Host))
		})
	case m.auto != nil && !x.overTLS && forwardedOverTLS(x.req.Header):
		m.warnInsecure.Do(func() {
			m.log.Warn("session: a cookie without Secure was issued, though the request says X-Forwarded-Proto: https. If a"+
				" proxy of yours has sent it, name its address in Config.TrustedProxies",
				slog.String("cookie", m.cfg.Cookie.Name), slog.String("peer", x.req.RemoteAddr))
		})
	}
}

// saysTLS reports whether the client speaks TLS, as far as the server or a proxy says. Only a warning hangs on it.
func saysTLS(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") ||
		strings.Contains(strings.ToLower(r.Header.Get("Forwarded")), "proto=https")
}
