package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/lazysession/session/store"
)

var errTwice = errors.New("session: one Manager wraps this route twice")

// findLocked looks for the request's token and, where there is a valid one, loads its record. It fails as loadLocked.
func (s *Session) findLocked(ctx context.Context) error {
	if s.details == nil {
		s.details = new(details)
	}
	if _, twice := s.ctx.Value(s.m).(*Session); twice {
		s.state, s.err = failed, errTwice
		return s.err
	}
	s.at = store.InstantOf(s.m.now())
	signed, token, why := s.m.signer.pick(s.tokensLocked(), s.at)
	if why == accepted {
		return s.loadLocked(ctx, signed, token)
	}
	s.state, s.refusal = absent, why
	if why != noToken {
		s.debugRefused(why.String())
	}
	return nil
}

// loadLocked loads the record of a token. It returns an error only where ctx is done: that says nothing of the store,
// and nothing of the session to who asks with another context.
func (s *Session) loadLocked(ctx context.Context, signed string, token store.Token) error {
	s.signed, s.token = signed, token
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
	case ctx.Err() != nil:
		return fmt.Errorf("%w: loading: %w", ErrUnavailable, err)
	default:
		s.failLocked("loading", err)
	}
	return nil
}

// firstLoadLocked is Manager.load without an allocation, once: a store may keep the context of a call for longer.
func (s *Session) firstLoadLocked(ctx context.Context) (*store.Record, error) {
	if s.loading.parent != nil {
		return s.m.load(ctx, s.token)
	}
	s.loading.parent, s.loading.timeout = ctx, s.m.cfg.StoreTimeout
	return s.m.loadIn(&s.loading, s.token)
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
	s.state, s.change = failed, store.Change{}
	s.err = fmt.Errorf("%w: %s: %w", ErrUnavailable, doing, err)
	s.m.log.LogAttrs(s.ctx, slog.LevelError, "session: store unavailable", slog.String("doing", doing), slog.Any("error", err))
}

// createLocked makes sure that there is a session to change.
func (s *Session) createLocked() error {
	switch s.state {
	case fresh, live:
		return nil
	case ended, retired:
		return ErrEnded
	}
	if s.in(sealed) {
		return fmt.Errorf("%w: a new session needs a cookie", ErrTooLate)
	}
	s.signed = ""
	id := newIdentity(&s.raw)
	s.token = store.HashToken(s.raw[:])
	cfg := s.m.cfg
	s.change = store.Change{Created: true, ID: id, Touched: true, IdleTimeout: cfg.IdleTimeout, Lifetime: cfg.Lifetime}
	if cfg.Cookie.Persistent {
		s.change.Persistent = new(true)
	}
	s.state = fresh
	return nil
}

// viewLocked returns the session as this request sees it: the record with the request's own changes. It is nil where
// there is no session.
func (s *Session) viewLocked() (*store.Record, error) {
	if s.change.IsZero() {
		return s.rec, nil
	}
	now := store.InstantOf(s.m.now())
	if s.state == fresh {
		return s.change.New(s.token, now)
	}
	return s.change.Apply(s.rec, now)
}

// Reload reads the session anew, as other requests have left it meanwhile. This request's changes stay on top, unless
// they were sent and their outcome was unknown. It returns ErrEnded where the session is gone.
func (s *Session) Reload(ctx context.Context) error {
	if s.m == nil {
		return ErrNoMiddleware
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == failed && !s.in(closed) {
		return s.retryLocked(ctx)
	}
	if err := s.readyLocked(ctx); err != nil {
		return err
	}
	switch s.state {
	case ended, retired:
		return ErrEnded
	case live:
		return s.reloadLocked(ctx)
	}
	return nil
}

// retryLocked gives a store that has failed another chance. A session that was there and no longer is has ended.
func (s *Session) retryLocked(ctx context.Context) error {
	wasLive := s.rec != nil
	if err := s.loadLocked(ctx, s.signed, s.token); err != nil {
		return err
	}
	switch {
	case s.state == failed:
		return s.err
	case s.state == retired, wasLive && s.state == absent:
		s.endedLocked(tellNothing)
		s.lost = ErrEnded
		return ErrEnded
	}
	s.lost = nil
	return nil
}

func (s *Session) reloadLocked(ctx context.Context) error {
	rec, err := s.m.load(ctx, s.token)
	switch {
	case err == nil:
		s.rec, s.size = rec, 0
		return nil
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrRetired):
		err = fromStore(err)
		if !s.change.OnlyTouches() {
			s.lost = err
		}
		s.endedLocked(tellNothing)
		return err
	default:
		return fromStore(err)
	}
}
