package session

import (
	"context"
	"fmt"

	"github.com/lazysession/session/internal/signed"
	"github.com/lazysession/session/store"
)

// A Handle is a hold on a session that outlives its request: for what goes on after the response has begun, a
// connection that was upgraded, say. It is small, so that thousands of idle connections can keep one each, and may be
// used by many goroutines at once.
//
// A Handle is of one token. Once another request has renewed it, or the session has ended, the sessions of the Handle
// return ErrEnded, and there is no way back: the client comes with its new token, in a new request.
type Handle struct {
	m   *Manager
	id  ID
	raw signed.Raw // it opens the session, and its signature can be made anew
}

// Handle returns a hold on the session that outlives this request, or this session outside HTTP. It asks the store only
// where nothing has done so before. A session that this request makes, or a token that it has given by Renew before,
// will be in the store once the request has committed; until then, and for ever if that fails, the sessions of the
// Handle return ErrEnded.
//
// ErrEnded says that there is no session, or that it has ended or was renewed by another request. That is an answer and
// no failure: the response may still be a success.
func (s *Session) Handle() (*Handle, error) {
	var h *Handle
	err := s.do(s.ctx, inspecting("Handle"), func(v *visit) (err error) {
		h, err = v.handle()
		return err
	})
	if err == nil && h == nil {
		err = fmt.Errorf("%w: no session that a Handle could be of", ErrEnded)
	}
	return h, err
}

// handle returns a Handle of the session as it will be once the change is committed; nil where there is none.
func (v *visit) handle() (*Handle, error) {
	switch {
	case v.state == fresh:
		return &Handle{v.s.m, v.change.ID, v.raw}, nil
	case v.state != live:
		return nil, nil
	case v.change.Renews():
		return &Handle{v.s.m, v.rec.ID, v.next}, nil
	}
	raw, err := v.rawToken()
	if err != nil {
		return nil, err
	}
	return &Handle{v.s.m, v.rec.ID, raw}, nil
}

// ID returns the public identity of the session.
func (h *Handle) ID() ID { return h.id }

// Session returns a Session of its own, outside HTTP, which reads the store at its first use. Each has its own draft of
// changes, so any number of them may be used at once, beside requests. Session.Commit stores what it has changed, and
// that it was used, where Config.IdleTimeout wants that noted: to read a value and commit counts as use, just as a
// request does, and writes to the store about ten times in an idle timeout. ctx gives the session the values of its
// store calls, as in Manager.Create.
//
// What needs a cookie returns ErrTooLate, as it does once a response has begun: Renew, Persist, SetLifetime, Remember,
// and Flash.Add after End. Where the session has ended, or another request has renewed it, there are no values and
// Exists reports false; changes, Renew and Reload return ErrEnded, and make no new session.
func (h *Handle) Session(ctx context.Context) *Session {
	d := new(detached)
	d.m, d.ctx, d.Session.visit = h.m, ctx, &d.visit
	d.phase.Store(sealed)
	d.visit.s, d.visit.raw = &d.Session, h.raw
	return &d.Session
}

// A detached is a Session of a Handle with its visit, in a single allocation.
type detached struct {
	Session
	visit visit
}

// loadDetached loads the session of a Handle.
func (v *visit) loadDetached(ctx context.Context) {
	v.load(ctx, signed.Token{Hash: store.HashToken(v.raw[:])})
}

// Format keeps the token out of a log that prints a Handle, be it a pointer or not.
func (h Handle) Format(f fmt.State, _ rune) { fmt.Fprint(f, "session.Handle(", h.id, ")") }
