package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lazysession/session/internal/signed"
	"github.com/lazysession/session/store"
)

// A Session is one visitor's state, as one request sees it. Values are reached through keys and counters. Nothing is
// read before the first use of it, and changes gather until the response begins, which commits them in one step.
//
// A Session may be used by many goroutines at once. Once its request is over, every operation returns ErrTooLate.
type Session struct {
	m   *Manager
	x   *exchange       // nil outside HTTP
	ctx context.Context // of the request, or of Create or Open

	phase atomic.Uint32 // how far the request has come

	mu sync.Mutex
	// mu locks the remaining field, and is held while the store is called.
	visit *visit // nil until the session is used
}

// The phases, as bits. They are atomic and not under mu, so that the middleware learns in one instruction that the
// session is unused, and sets a bit in the same instruction. A later use sees that bit.
const (
	used    uint32 = 1 << iota // the session was asked for, since the response began if it has
	sealed                     // the response has begun: the client can't be told of a token any more
	refused                    // the response was thrown away: nothing is read or changed any more
	closed                     // the request is over
	failing                    // operations have failed and were not made good
)

func (s *Session) in(phase uint32) bool { return s.phase.Load()&phase != 0 }

// noMiddleware is the Session of a context without one.
var noMiddleware = &Session{}

type contextKey struct{}

// FromContext returns the session of the innermost Manager that ctx has passed. It never returns nil: without the
// middleware, every operation of the Session returns ErrNoMiddleware.
func FromContext(ctx context.Context) *Session {
	if s, ok := ctx.Value(contextKey{}).(*Session); ok && s != nil {
		return s
	}
	return noMiddleware
}

// NewContext returns a context that carries s, for keys and FromContext: a session from Manager.Create or Manager.Open,
// say.
func NewContext(ctx context.Context, s *Session) context.Context {
	return context.WithValue(ctx, contextKey{}, s)
}

// do runs an operation with the session locked and read from the store, and notes how it went.
func (s *Session) do(ctx context.Context, op operation, f func(v *visit) error) error {
	if s.m == nil {
		return ErrNoMiddleware
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.visitLocked()
	err := v.ready(ctx)
	if err == nil {
		err = f(v)
	}
	v.settle(op, err)
	return err
}

// write is do for what makes a session where there is none. An operation that fails makes none.
func (s *Session) write(ctx context.Context, op operation, f func(v *visit) error) error {
	return s.do(ctx, op, func(v *visit) error { return v.write(f) })
}

// locked is do for a part of an operation.
func (s *Session) locked(ctx context.Context, f func(v *visit) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.visitLocked()
	if err := v.ready(ctx); err != nil {
		return err
	}
	return f(v)
}

func (s *Session) visitLocked() *visit {
	if s.visit == nil {
		s.visit = &visit{s: s}
	}
	return s.visit
}

// ID returns the public identity of the session, or the zero ID where there is none or it can't be read, which Exists
// tells apart. It grants nothing and survives Renew.
func (s *Session) ID() (id ID) {
	s.do(s.ctx, inspecting("ID"), func(v *visit) error {
		switch v.state {
		case fresh:
			id = v.change.ID
		case live:
			id = v.rec.ID
		}
		return nil
	})
	return id
}

// Exists reports whether there is a session, be it one that this request has made.
func (s *Session) Exists() (exists bool, err error) {
	err = s.do(s.ctx, inspecting("Exists"), func(v *visit) error {
		exists = v.state == live || v.state == fresh
		return nil
	})
	return exists, err
}

// Renew gives the session a new token and keeps its values: call it at login and at any change of privilege, so that a
// token planted or seen before is worth nothing after (OWASP: session fixation). The old token dies in the very step,
// at the next commit, that makes the new one live. Where there is no session, there is nothing to renew and Renew
// returns nil. Of two requests that renew one session, one wins, and the other gets ErrEnded at its commit.
//
// Where the store's answer to that commit is lost, one more load finds out whether the new token is live. If it is, all
// went well; if it is not, the old one still opens the session. Where that can't be found out either, the client gets
// the new token with the answer of Config.OnError: it opens the session if the commit was made, and where it was not,
// the visitor can log in again. A store that makes the commit even after it was asked leaves the visitor with the old
// token: changes are then answered 409 until the store forgets it, after store.RetiredFor, and the visitor can log in.
//
// It returns ErrTooLate once the response has begun, and ErrEnded.
func (s *Session) Renew() error {
	return s.do(s.ctx, operation{kind: renew}, func(v *visit) error {
		switch {
		case v.state == ended, v.state == retired, v.loggedOut:
			return ErrEnded
		case v.state != live, v.change.Renews():
			return nil // a token that no client has is as good as a new one
		case v.s.in(sealed):
			return fmt.Errorf("%w: a new token needs a cookie", ErrTooLate)
		}
		v.next = signed.NewRaw()
		v.change.RenewTo = store.HashToken(v.next[:])
		return nil
	})
}

// End ends the session: when it returns nil, the session is gone in the store, for every node, and the response removes
// the cookie, unless it has begun. Changes not yet committed are dropped. Afterwards there are no values, and changes
// return ErrEnded, except Flash.Add, which makes a new session. Ending what does not exist or has ended is no error.
// ErrEnded says that another request has renewed this one's token, which may end nothing any more. Where the request
// has tokens of several live sessions, so that none of them was used, all of them are ended; with more of them than End
// takes, it ends none and returns ErrConflict.
func (s *Session) End() error {
	return s.do(s.ctx, operation{kind: end}, (*visit).end)
}

func (v *visit) end() error {
	switch {
	case v.state == retired:
		return ErrEnded // the renewed session lives on: nothing may say "logged out"
	case v.refusal >= signed.Several && (v.state == absent || v.state == fresh):
		return v.endAll()
	case v.state == fresh:
		v.logOut(v.action)
	case v.state == live:
		err := v.s.m.end(v.s.ctx, Event{Kind: EventEnded, ID: v.rec.ID, Owner: v.rec.Owner, Reason: LoggedOut})
		if err != nil {
			return err
		}
		v.logOut(removeToken)
	}
	return nil
}

// endAll ends every session that the request has a token of, where there are several and so none was used. If one
// stayed live, the visitor would be logged in again as soon as the other cookie is gone.
func (v *visit) endAll() error {
	tokens := v.signer().Verified(v.s.x.tokens(v.found[:0]))
	if len(tokens) > signed.MaxCandidates {
		return fmt.Errorf("%w: the request has valid tokens of %d sessions, more than the %d that End takes",
			ErrConflict, len(tokens), signed.MaxCandidates)
	}
	for _, token := range tokens {
		rec, err := v.s.m.load(v.s.ctx, token.Hash)
		switch {
		case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrRetired):
			continue
		case err == nil:
			err = v.s.m.end(v.s.ctx, Event{Kind: EventEnded, ID: rec.ID, Owner: rec.Owner, Reason: LoggedOut})
		}
		if err != nil {
			return fromStore(err)
		}
	}
	v.several = true
	v.logOut(removeToken)
	return nil
}

// logOut is markEnded by this request itself.
func (v *visit) logOut(a tokenAction) {
	v.markEnded(a)
	v.loggedOut = true
}

func (v *visit) markEnded(a tokenAction) {
	v.state, v.draft, v.action = ended, draft{}, a
}

// Token returns the session's signed token, for carriers and sessions outside HTTP; empty where there is no session.
// It opens the session to everybody that has it. A token that Renew or the first write has made opens it after the
// commit.
func (s *Session) Token() (signed string, err error) {
	err = s.do(s.ctx, inspecting("Token"), func(v *visit) error {
		view, err := v.current()
		switch {
		case err != nil || view == nil:
			return err
		case v.change.Renews():
			signed = v.signer().Sign(v.next, view.Lifetime)
			return nil
		}
		signed, err = v.sign(view.Lifetime)
		return err
	})
	return signed, err
}

// sign returns the signed token of the session as it is.
func (v *visit) sign(lifetime time.Duration) (string, error) {
	raw, err := v.rawToken()
	if err != nil {
		return "", err
	}
	return v.signer().Sign(raw, lifetime), nil
}

var errUnsigned = errors.New("session: the token's signature is no longer valid")

// rawToken returns the token itself, which is taken from its signed form only where it is to be signed anew. However
// old the signature has become meanwhile: it was valid when the session was opened.
func (v *visit) rawToken() (signed.Raw, error) {
	if v.signed == "" {
		return v.raw, nil
	}
	raw, ok := v.signer().Open(v.signed)
	if !ok && v.s.m.auto != nil { // Manager.Open was given the token of a request over plain HTTP
		raw, ok = v.s.m.auto.signer.Open(v.signed)
	}
	if !ok {
		return signed.Raw{}, errUnsigned
	}
	v.raw, v.signed = raw, ""
	return raw, nil
}

// Format keeps the token, and with %s of a pointer all that it leads to, out of a log that prints a Session. It asks
// for nothing, not even the ID, which might mean a call of the store.
func (s *Session) Format(f fmt.State, _ rune) { fmt.Fprint(f, "session.Session") }
