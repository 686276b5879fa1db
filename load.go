package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/lazysession/session/internal/signed"
	"github.com/lazysession/session/store"
)

var errTwice = errors.New("session: one Manager wraps this route twice")

// findLocked looks for the request's token and, where there is a valid one, loads its record. A store that fails leaves
// the session failed; an error is returned only where ctx was done before.
func (s *Session) findLocked(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("%w: loading: %w", ErrUnavailable, err)
	}
	d := s.detailsLocked()
	if _, twice := s.ctx.Value(s.m).(*Session); twice {
		s.state, s.troubleLocked().unavailable = failed, errTwice
		return nil
	}
	d.at = store.InstantOf(s.m.now())
	tokens := s.x.tokens(s.found[:0])
	token, why := s.m.signer.Pick(tokens)
	switch why {
	case signed.Accepted:
		s.loadLocked(ctx, token)
		return nil
	case signed.Several:
		return s.chooseLocked(ctx, s.m.signer.Verified(tokens))
	}
	s.absentLocked(why)
	return nil
}

// absentLocked says that the request has no session that could be used, and why.
func (s *Session) absentLocked(why signed.Refusal) {
	s.state, s.refusal = absent, why
	if why != signed.NoToken {
		s.debugRefused(why.String())
	}
}

// maxLoads limits how many records are loaded for the tokens of one request.
const maxLoads = 4

// chooseLocked finds the one live session among several valid tokens. A deploy that changes the cookie's Domain or Path
// leaves browsers with a cookie of each scope, of which one soon is dead. Two live ones are refused both, for nobody can
// say which the visitor means and which an attacker has planted.
func (s *Session) chooseLocked(ctx context.Context, tokens []signed.Token) error {
	if len(tokens) > maxLoads {
		s.absentLocked(signed.Several)
		return nil
	}
	var found signed.Token
	var rec *store.Record
	wasRetired := false
	for _, token := range tokens {
		r, err := s.m.load(ctx, token.Hash)
		switch {
		case err == nil && rec != nil:
			s.absentLocked(signed.Several)
			return nil
		case err == nil:
			found, rec = token, r
		case errors.Is(err, store.ErrRetired):
			wasRetired = true
		case !errors.Is(err, store.ErrNotFound):
			s.failLocked("loading", err)
			return nil
		}
	}
	switch {
	case rec != nil:
		s.state, s.signed, s.hash = live, found.Signed, found.Hash
		s.draft = draft{rec: rec}
		s.several, s.action = true, sendToken
	case wasRetired:
		s.state = retired
	default:
		s.absentLocked(signed.Invalid)
	}
	return nil
}

// loadLocked loads the record of a token.
func (s *Session) loadLocked(ctx context.Context, token signed.Token) {
	s.signed, s.hash = token.Signed, token.Hash
	rec, err := s.firstLoadLocked(ctx)
	switch {
	case err == nil:
		s.state, s.rec, s.size = live, rec, 0
	case errors.Is(err, store.ErrNotFound):
		s.state = absent
		s.debugRefused("unknown or expired")
	case errors.Is(err, store.ErrRetired):
		s.state = retired
		s.debugRefused("renewed")
	default:
		s.failLocked("loading", err)
	}
}

// firstLoadLocked is Manager.load without an allocation, once: a store may keep the context of a call for longer.
func (s *Session) firstLoadLocked(ctx context.Context) (*store.Record, error) {
	if s.loading.parent != nil {
		return s.m.load(ctx, s.hash)
	}
	s.loading.parent, s.loading.timeout = ctx, s.m.timeout
	return s.m.loadIn(&s.loading, s.hash)
}

// debugRefused logs with the context from before this session: a log handler that asks the context for the session's ID
// would else wait for the lock that is held here.
func (s *Session) debugRefused(why string) {
	if s.m.log.Enabled(s.ctx, slog.LevelDebug) {
		s.m.log.LogAttrs(s.ctx, slog.LevelDebug, "session: token refused", slog.String("why", why))
	}
}

// failLocked remembers that the store can't be relied on, for the rest of the request: a store that hangs costs one
// timeout, not one for each value, and a change of unknown outcome is never sent again.
func (s *Session) failLocked(doing string, err error) {
	s.state = failed
	s.forget()
	s.troubleLocked().unavailable = fmt.Errorf("%w: %s: %w", ErrUnavailable, doing, err)
	s.m.log.LogAttrs(s.ctx, slog.LevelError, "session: store unavailable", slog.String("doing", doing), slog.Any("error", err))
}

// createLocked makes sure that there is a session to change, and reports whether it made one.
func (s *Session) createLocked() (made bool, err error) {
	if err := s.mayWriteLocked(); err != nil || s.state != absent {
		return false, err
	}
	s.signed = ""
	id := signed.NewIdentity(&s.raw)
	s.hash = store.HashToken(s.raw[:])
	cfg := s.m.cfg
	s.change = store.Change{Created: true, ID: id, Touched: true, IdleTimeout: cfg.IdleTimeout, Lifetime: cfg.Lifetime}
	if cfg.Cookie.Persistent {
		s.change.Persistent = new(true)
	}
	s.state = fresh
	return true, nil
}

// mayWriteLocked reports whether the session takes changes, or could be made to take them.
func (s *Session) mayWriteLocked() error {
	switch {
	case s.state == ended, s.state == retired:
		return ErrEnded
	case s.state == absent && s.in(sealed):
		return fmt.Errorf("%w: a new session needs a cookie", ErrTooLate)
	}
	return nil
}

// viewLocked returns the session as this request sees it: the record with the request's own changes. It is nil where
// there is no session.
func (s *Session) viewLocked() (*store.Record, error) { return s.view(store.InstantOf(s.m.now())) }

// Reload reads the session anew, as other requests have left it meanwhile. This request's changes stay on top, unless
// they were sent and their outcome was unknown. It returns ErrEnded where the session is gone.
func (s *Session) Reload(ctx context.Context) error {
	if s.m == nil {
		return ErrNoMiddleware
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.reloadLocked(ctx)
	s.settleLocked(operation{kind: reload}, err)
	return err
}

func (s *Session) reloadLocked(ctx context.Context) error {
	if s.state == failed && !s.in(closed|refused) {
		return s.retryLocked(ctx)
	}
	if err := s.readyLocked(ctx); err != nil {
		return err
	}
	switch s.state {
	case ended, retired:
		return ErrEnded
	case live:
		return s.loadAgainLocked(ctx)
	}
	return nil
}

// retryLocked gives a store that has failed another chance. A session that was there and no longer is has ended.
func (s *Session) retryLocked(ctx context.Context) error {
	if s.hash == (store.Token{}) { // the request's tokens were not looked at, or there are several
		s.state = untouched
		return s.readyLocked(ctx)
	}
	if s.unsure {
		return s.retryRenewalLocked(ctx)
	}
	wasLive, creates := s.rec != nil, s.rec == nil && s.action == sendToken
	s.loadLocked(ctx, signed.Token{Signed: s.signed, Hash: s.hash})
	switch {
	case s.state == failed:
		return s.unavailable
	case s.state == retired, wasLive && s.state == absent:
		s.markEndedLocked(keepToken)
		return ErrEnded
	case creates && s.state == live:
		s.madeGoodLocked(operation{kind: commit}) // it was one step, so all of it was made
	}
	return nil
}

// retryRenewalLocked finds out whether a renewal without an answer was made, and goes on with the token that is live.
func (s *Session) retryRenewalLocked(ctx context.Context) error {
	next := store.HashToken(s.next[:])
	rec, err := s.m.load(ctx, next)
	switch {
	case err == nil:
		s.state, s.signed, s.raw, s.hash, s.unsure = live, "", s.next, next, false
		s.committed(rec)
		s.madeGoodLocked(operation{kind: commit})
		return nil
	case errors.Is(err, store.ErrNotFound):
		s.unsure, s.action = false, keepToken
		return s.retryLocked(ctx)
	}
	s.failLocked("loading", err)
	return s.unavailable
}

// loadAgainLocked reads the record of a live session anew.
func (s *Session) loadAgainLocked(ctx context.Context) error {
	rec, err := s.m.load(ctx, s.hash)
	switch {
	case err == nil:
		s.rec, s.size = rec, 0
		return nil
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrRetired):
		s.markEndedLocked(keepToken)
	}
	return fromStore(err)
}
