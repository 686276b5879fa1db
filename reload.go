package session

import (
	"context"
	"errors"

	"github.com/lazysession/session/internal/signed"
	"github.com/lazysession/session/store"
)

// Reload reads the session anew, as other requests have left it meanwhile. This request's changes stay on top, unless
// they were sent and their outcome was unknown. It returns ErrEnded where the session is gone.
func (s *Session) Reload(ctx context.Context) error {
	if s.m == nil {
		return ErrNoMiddleware
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.visitLocked()
	err := v.reload(ctx)
	v.settle(operation{kind: reload}, err)
	return err
}

func (v *visit) reload(ctx context.Context) error {
	if v.state == failed && !v.s.in(closed|refused) {
		return v.retry(ctx)
	}
	if err := v.ready(ctx); err != nil {
		return err
	}
	switch v.state {
	case ended, retired:
		return ErrEnded
	case live:
		return v.loadAgain(ctx)
	}
	return nil
}

// retry asks a store again that has failed. A session that was found before, and is not found now, has ended.
func (v *visit) retry(ctx context.Context) error {
	if v.hash == (store.Token{}) { // the request's tokens were not looked at, or there are several
		v.state = untouched
		return v.ready(ctx)
	}
	if v.unsure {
		return v.retryRenewal(ctx)
	}
	wasLive, creates := v.rec != nil, v.rec == nil && v.action == sendToken
	v.load(ctx, signed.Token{Signed: v.signed, Hash: v.hash})
	switch {
	case v.state == failed:
		return v.unavailable
	case v.state == ended, v.state == retired, wasLive && v.state == absent:
		v.markEnded(keepToken)
		return ErrEnded
	case creates && v.state == live:
		v.foundMade()
	}
	return nil
}

// retryRenewal finds out whether a renewal without an answer was made, and goes on with the token that is live.
func (v *visit) retryRenewal(ctx context.Context) error {
	next := store.HashToken(v.next[:])
	rec, err := v.s.m.load(ctx, next)
	switch {
	case err == nil:
		v.state, v.signed, v.raw, v.hash, v.unsure = live, "", v.next, next, false
		v.committed(rec)
		v.foundMade()
		return nil
	case errors.Is(err, store.ErrNotFound):
		v.unsure, v.action = false, keepToken
		return v.retry(ctx)
	}
	v.fail("loading", err)
	return v.unavailable
}

// loadAgain reads the record of a live session anew.
func (v *visit) loadAgain(ctx context.Context) error {
	rec, err := v.s.m.load(ctx, v.hash)
	switch {
	case err == nil:
		v.rec, v.size = rec, 0
		return nil
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrRetired):
		v.endedElsewhere(fromStore(err))
	}
	return fromStore(err)
}
