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
	// mu locks the remaining fields, and is held while the store is called.
	state    state
	*details // nil until the session is used
}

// The phases, as bits. They are atomic and not under mu, so that one instruction tells the middleware that nobody has
// used the session. A use that comes too late for that sees, by the same instruction, the bit that was set.
const (
	used    uint32 = 1 << iota // the session was asked for, since the response began if it has
	sealed                     // the response has begun: the client can't be told of a token any more
	refused                    // the response was thrown away: nothing is read or changed any more
	closed                     // the request is over
	failing                    // operations have failed and were not made good
)

func (s *Session) in(phase uint32) bool { return s.phase.Load()&phase != 0 }

// details are what a Session has that is used. They are apart so that one which is not stays small.
type details struct {
	at     store.Instant // of the first use, by the store's clock
	signed string        // the token, as the client sent it
	raw    signed.Raw    // of a session that was made or renewed here
	hash   store.Token   // of the token
	draft                // what the session holds; rec is kept when it has failed, for what must be told and for Reload
	next   signed.Raw    // whose hash is change.RenewTo

	action  tokenAction
	refusal signed.Refusal // why it is absent, where the request's tokens were refused
	unsure  bool           // a renewal to next was sent and had no answer
	made    bool           // the session was made by this request
	several bool           // the request has dead tokens beside the one in use: the client is told to forget what it can

	loggedOut bool // this request has ended its session: only a Flash may be added after

	*trouble // nil until something has failed

	// Room for what a request that reads needs, so that it needs no allocation of its own.
	found   [1]string    // the request's token, where it has one
	loading storeContext // of the first load
	vary    [1]string    // a line of the response's header
}

// A state is how far a Session has come.
type state uint8

const (
	untouched state = iota // nothing was read, not even the cookie
	absent                 // there is no session; a write makes one
	fresh                  // made here, not in the store yet
	live                   // in the store, as rec
	ended                  // gone: no values, no changes
	retired                // another request has renewed the token: no values, no changes, and no word to the client
	failed                 // the store could not be reached, or what it did is unknown
)

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
func (s *Session) do(ctx context.Context, op operation, f func() error) error {
	if s.m == nil {
		return ErrNoMiddleware
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.readyLocked(ctx)
	if err == nil {
		err = f()
	}
	s.settleLocked(op, err)
	return err
}

// locked is do for a part of an operation.
func (s *Session) locked(ctx context.Context, f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.readyLocked(ctx); err != nil {
		return err
	}
	return f()
}

// write is do for what makes a session where there is none. An operation that fails makes none.
func (s *Session) write(ctx context.Context, op operation, f func() error) error {
	return s.do(ctx, op, func() error { return s.writeLocked(f) })
}

func (s *Session) writeLocked(f func() error) error {
	if s.loggedOut {
		return ErrEnded
	}
	return s.createdLocked(f)
}

// createdLocked runs f on a session that is made if there is none, and unmade if f fails.
func (s *Session) createdLocked(f func() error) error {
	made, err := s.createLocked()
	if err == nil {
		err = f()
	}
	if err != nil && made && s.state == fresh {
		s.state = absent
		s.forget()
	}
	return err
}

// readyLocked reads the session from the store, if nobody has yet.
func (s *Session) readyLocked(ctx context.Context) error {
	switch now := s.phase.Or(used); {
	case now&closed != 0:
		return fmt.Errorf("%w: the request is over", ErrTooLate)
	case now&refused != 0:
		return fmt.Errorf("%w: the response was refused: %w", ErrTooLate, s.x.refusal())
	}
	if s.state == untouched {
		if err := s.findLocked(ctx); err != nil {
			return err
		}
	}
	if s.state == failed {
		return s.unavailable
	}
	return nil
}

// ID returns the public identity of the session, or the zero ID where there is none or it can't be read, which Exists
// tells apart. It grants nothing and survives Renew.
func (s *Session) ID() (id ID) {
	s.do(s.ctx, inspecting("ID"), func() error {
		switch s.state {
		case fresh:
			id = s.change.ID
		case live:
			id = s.rec.ID
		}
		return nil
	})
	return id
}

// Exists reports whether there is a session, be it one that this request has made.
func (s *Session) Exists() (exists bool, err error) {
	err = s.do(s.ctx, inspecting("Exists"), func() error {
		exists = s.state == live || s.state == fresh
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
// went well; if it is not, the old one still opens the session. Where that can't be found out either, the client gets the
// new token with the answer of Config.OnError: it opens the session if the commit was made, and where it was not, the
// visitor can log in again.
//
// It returns ErrTooLate once the response has begun, and ErrEnded.
func (s *Session) Renew() error {
	return s.do(s.ctx, operation{kind: renew}, func() error {
		switch {
		case s.state == ended, s.state == retired:
			return ErrEnded
		case s.state != live, s.change.Renews():
			return nil // a token that no client has is as good as a new one
		case s.in(sealed):
			return fmt.Errorf("%w: a new token needs a cookie", ErrTooLate)
		}
		s.next = signed.NewRaw()
		s.change.RenewTo = store.HashToken(s.next[:])
		return nil
	})
}

// End ends the session: when it returns nil, the session is gone in the store, for every node, and the response removes
// the cookie, unless it has begun. Changes not yet committed are dropped. Afterwards there are no values, and changes
// return ErrEnded, except Flash.Add, which makes a new session. Ending what does not exist or has ended is no error; ErrEnded says that another request has renewed
// this one's token, which may end nothing any more. Where the request has tokens of several live sessions, so that none
// of them was used, all of them are ended; with more of them than End takes, it ends none and returns ErrConflict.
func (s *Session) End() error {
	return s.do(s.ctx, operation{kind: end}, s.endLocked)
}

func (s *Session) endLocked() error {
	switch s.state {
	case retired:
		return ErrEnded // the renewed session lives on: nothing may say "logged out"
	case fresh:
		s.logOutLocked(s.action)
	case absent:
		if s.refusal >= signed.Several {
			return s.endAllLocked()
		}
	case live:
		err := s.m.end(s.ctx, Event{Kind: EventEnded, ID: s.rec.ID, Owner: s.rec.Owner, Reason: LoggedOut})
		if err != nil {
			return err
		}
		s.logOutLocked(removeToken)
	}
	return nil
}

// endAllLocked ends every session that the request has a token of, where there are several and so none was used: a visitor
// who logs out must not come back when one of the cookies is gone.
func (s *Session) endAllLocked() error {
	tokens := s.m.signer.Verified(s.x.tokens(s.found[:0]))
	if len(tokens) > signed.MaxCandidates {
		return fmt.Errorf("%w: the request has valid tokens of %d sessions, more than the %d that End takes",
			ErrConflict, len(tokens), signed.MaxCandidates)
	}
	for _, token := range tokens {
		rec, err := s.m.load(s.ctx, token.Hash)
		switch {
		case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrRetired):
			continue
		case err == nil:
			err = s.m.end(s.ctx, Event{Kind: EventEnded, ID: rec.ID, Owner: rec.Owner, Reason: LoggedOut})
		}
		if err != nil {
			return fromStore(err)
		}
	}
	s.several = true
	s.logOutLocked(removeToken)
	return nil
}

// logOutLocked is markEndedLocked by this request itself.
func (s *Session) logOutLocked(a tokenAction) {
	s.markEndedLocked(a)
	s.loggedOut = true
}

func (s *Session) markEndedLocked(a tokenAction) {
	s.state, s.draft, s.action = ended, draft{}, a
}

// Token returns the session's signed token, for carriers and sessions outside HTTP; empty where there is no session.
// It opens the session to everybody that has it. A token that Renew or the first write has made opens it after the
// commit.
func (s *Session) Token() (signed string, err error) {
	err = s.do(s.ctx, inspecting("Token"), func() error {
		view, err := s.viewLocked()
		switch {
		case err != nil || view == nil:
			return err
		case s.change.Renews():
			signed = s.m.signer.Sign(s.next, view.Lifetime)
			return nil
		}
		signed, err = s.signLocked(view.Lifetime)
		return err
	})
	return signed, err
}

// signLocked returns the signed token of the session as it is.
func (s *Session) signLocked(lifetime time.Duration) (string, error) {
	raw, err := s.rawLocked()
	if err != nil {
		return "", err
	}
	return s.m.signer.Sign(raw, lifetime), nil
}

var errUnsigned = errors.New("session: the token's signature is no longer valid")

// rawLocked returns the token itself, which is taken from its signed form only where it is to be signed anew. However old
// the signature has become meanwhile: it was valid when the session was opened.
func (s *Session) rawLocked() (signed.Raw, error) {
	if s.signed == "" {
		return s.raw, nil
	}
	raw, ok := s.m.signer.Open(s.signed)
	if !ok {
		return signed.Raw{}, errUnsigned
	}
	s.raw, s.signed = raw, ""
	return raw, nil
}

// Format keeps the token, and with %s of a pointer all that it leads to, out of a log that prints a Session. It asks for
// nothing, not even the ID, which might mean a call of the store.
func (s *Session) Format(f fmt.State, _ rune) { fmt.Fprint(f, "session.Session") }
