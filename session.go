package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

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

// The phases, as bits. They are no business of mu: so the middleware finds with one instruction, rather than by locking,
// that nobody has used the session. Who comes too late for that to see finds the bit that was set in the same instruction.
const (
	used   uint32 = 1 << iota // somebody has asked for the session, since the response began if it has
	sealed                    // the response has begun: the client can't be told of a token any more
	closed                    // the request is over
)

func (s *Session) in(phase uint32) bool { return s.phase.Load()&phase != 0 }

// details are what a Session has that is used. They are apart so that one which is not stays small.
type details struct {
	at        store.Instant // of the first use, by the store's clock
	signed    string        // the token, as the client sent it
	raw       rawToken      // of a session that was made or renewed here
	token     store.Token   // the token's hash
	rec       *store.Record // of a live session; kept when it has failed, for what must be told and for Reload
	change    store.Change  // what this request did and has not committed
	next      rawToken      // whose hash is change.RenewTo
	err       error         // why it is failed
	lost      error         // why a change was lost; nil if none was
	size      int           // bytes of rec's values with change; counted at the first write, 0 before
	tell      tell          // what the response tells the client
	loggedOut bool          // this request has ended its session: only a Flash may be added after

	refusal refusal // why it is absent, where the request's tokens were refused

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

// A tell is what the response tells the client about its token.
type tell uint8

const (
	tellNothing tell = iota
	tellToken
	tellRemove
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

// enter locks the session and reads it from the store, if nobody has yet. The caller unlocks it, unless there is an
// error.
func (s *Session) enter(ctx context.Context) error {
	if s.m == nil {
		return ErrNoMiddleware
	}
	s.mu.Lock()
	ready := false
	defer func() { // also when a store or a carrier panics
		if !ready {
			s.mu.Unlock()
		}
	}()
	err := s.readyLocked(ctx)
	ready = err == nil
	return err
}

// enterToChange is enter for changes, which are lost where the store can't be reached.
func (s *Session) enterToChange(ctx context.Context) error {
	err := s.enter(ctx)
	if errors.Is(err, ErrUnavailable) && ctx.Err() == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.lost = err
	}
	return err
}

func (s *Session) readyLocked(ctx context.Context) error {
	if s.phase.Or(used)&closed != 0 {
		return fmt.Errorf("%w: the request is over", ErrTooLate)
	}
	if s.state == untouched {
		if err := s.findLocked(ctx); err != nil {
			return err
		}
	}
	if s.state == failed {
		return s.err
	}
	return nil
}

// enterToWrite is enterToChange for what makes a session where there is none.
func (s *Session) enterToWrite(ctx context.Context) error {
	if err := s.enterToChange(ctx); err != nil {
		return err
	}
	err := ErrEnded
	if !s.loggedOut {
		err = s.createLocked()
	}
	if err != nil {
		s.mu.Unlock()
	}
	return err
}

// ID returns the public identity of the session, or the zero ID where there is none or it can't be read, which Exists
// tells apart. It grants nothing and survives Renew.
func (s *Session) ID() ID {
	if s.enter(s.ctx) != nil {
		return ID{}
	}
	defer s.mu.Unlock()
	switch s.state {
	case fresh:
		return s.change.ID
	case live:
		return s.rec.ID
	default:
		return ID{}
	}
}

// Exists reports whether there is a session, be it one that this request has made.
func (s *Session) Exists() (bool, error) {
	if err := s.enter(s.ctx); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	return s.state == live || s.state == fresh, nil
}

// Renew gives the session a new token and keeps its values: call it at login and at any change of privilege, so that a
// token planted or seen before is worth nothing after (OWASP: session fixation). The old token dies in the very step,
// at the next commit, that makes the new one live. Where there is no session, there is nothing to renew and Renew
// returns nil. Of two requests that renew one session, one wins, and the other gets ErrEnded at its commit.
//
// It returns ErrTooLate once the response has begun, and ErrEnded.
func (s *Session) Renew() error {
	if err := s.enterToChange(s.ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	switch {
	case s.state == ended, s.state == retired:
		return ErrEnded
	case s.state != live, s.change.Renews():
		return nil // a token that no client has is as good as a new one
	case s.in(sealed):
		return fmt.Errorf("%w: a new token needs a cookie", ErrTooLate)
	}
	s.next = newRawToken()
	s.change.RenewTo = store.HashToken(s.next[:])
	return nil
}

// End ends the session: when it returns nil, the session is gone in the store, for every node, and the response removes
// the cookie, unless it has begun. Changes not yet committed are dropped. Afterwards there are no values, and changes
// return ErrEnded, except Flash.Add, which makes a new session. Ending what does not exist or has ended is no error;
// ErrEnded says that another request has renewed this one's token, which may end nothing any more.
func (s *Session) End() error {
	if err := s.enterToChange(s.ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	switch s.state {
	case retired:
		s.lost = ErrEnded // the renewed session lives on: nothing may say "logged out"
		return ErrEnded
	case fresh:
		s.logOutLocked(s.tell)
	case absent:
		if s.refusal == ambiguous {
			return s.endAllLocked()
		}
	case live:
		s.lost = s.m.end(s.ctx, Event{Kind: Ended, ID: s.rec.ID, Owner: s.rec.Owner, Reason: LoggedOut})
		if s.lost != nil {
			return s.lost
		}
		s.logOutLocked(tellRemove)
	}
	return nil
}

// endAllLocked ends every session that the request has a token of, where there are several and so none was used: who
// logs out must not come back when one of the cookies is gone.
func (s *Session) endAllLocked() error {
	for _, token := range s.m.signer.verified(s.tokensLocked(), s.at) {
		rec, err := s.m.load(s.ctx, token)
		switch {
		case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrRetired):
			continue
		case err == nil:
			err = s.m.end(s.ctx, Event{Kind: Ended, ID: rec.ID, Owner: rec.Owner, Reason: LoggedOut})
		}
		if err != nil {
			s.lost = fromStore(err)
			return s.lost
		}
	}
	s.logOutLocked(tellRemove)
	return nil
}

// logOutLocked is endedLocked by this request itself.
func (s *Session) logOutLocked(t tell) {
	s.endedLocked(t)
	s.loggedOut = true
}

func (s *Session) endedLocked(t tell) {
	s.state, s.rec, s.change, s.tell = ended, nil, store.Change{}, t
}

// Token returns the session's signed token, for carriers and sessions outside HTTP; empty where there is no session.
// It opens the session to whoever has it. A token that Renew or the first write has made opens it after the commit.
func (s *Session) Token() (string, error) {
	if err := s.enter(s.ctx); err != nil {
		return "", err
	}
	defer s.mu.Unlock()
	view, err := s.viewLocked()
	if err != nil || view == nil {
		return "", err
	}
	if s.change.Renews() {
		return s.m.signer.sign(s.next, view.Lifetime), nil
	}
	return s.signLocked(view.Lifetime)
}

// signLocked returns the signed token of the session as it is.
func (s *Session) signLocked(lifetime time.Duration) (string, error) {
	raw, err := s.rawLocked()
	if err != nil {
		return "", err
	}
	return s.m.signer.sign(raw, lifetime), nil
}

var errUnsigned = errors.New("session: the token's signature is no longer valid")

// rawLocked returns the token itself, which is taken from its signed form only where it is to be signed anew. However old
// the signature has become meanwhile: it was valid when the session was opened.
func (s *Session) rawLocked() (rawToken, error) {
	if s.signed == "" {
		return s.raw, nil
	}
	raw, ok := s.m.signer.open(s.signed, s.m.signer.ageless)
	if !ok {
		return rawToken{}, errUnsigned
	}
	s.raw, s.signed = raw, ""
	return raw, nil
}
