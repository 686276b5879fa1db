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

// find looks for the request's token and, where there is a valid one, loads its record. A store that fails leaves
// the session failed; an error is returned only where ctx was done before.
func (v *visit) find(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("%w: loading: %w", ErrUnavailable, err)
	}
	if _, twice := v.s.ctx.Value(v.s.m).(*Session); twice {
		v.state, v.troubles().unavailable = failed, errTwice
		return nil
	}
	v.at = store.InstantOf(v.s.m.now())
	tokens := v.s.x.tokens(v.found[:0])
	token, why := v.s.m.signer.Pick(tokens)
	switch why {
	case signed.Accepted:
		v.load(ctx, token)
		return nil
	case signed.Several:
		return v.choose(ctx, v.s.m.signer.Verified(tokens))
	}
	v.noSession(why)
	return nil
}

// noSession says that the request has no session that could be used, and why.
func (v *visit) noSession(why signed.Refusal) {
	v.state, v.refusal = absent, why
	if why != signed.NoToken {
		v.debugRefused(why.String())
	}
}

// maxLoads limits how many records are loaded for the tokens of one request.
const maxLoads = 4

// choose finds the one live session among several valid tokens. A deploy that changes the cookie's Domain or Path
// leaves browsers with a cookie of each scope, of which one soon is dead. Two live ones are refused both, for nobody
// can say which the visitor means and which an attacker has planted.
func (v *visit) choose(ctx context.Context, tokens []signed.Token) error {
	if len(tokens) > maxLoads {
		v.noSession(signed.Several)
		return nil
	}
	var found signed.Token
	var rec *store.Record
	wasRetired := false
	for _, token := range tokens {
		r, err := v.s.m.load(ctx, token.Hash)
		switch {
		case err == nil && rec != nil:
			v.noSession(signed.Several)
			return nil
		case err == nil:
			found, rec = token, r
		case errors.Is(err, store.ErrRetired):
			wasRetired = true
		case !errors.Is(err, store.ErrNotFound):
			v.fail("loading", err)
			return nil
		}
	}
	switch {
	case rec != nil:
		v.state, v.signed, v.hash = live, found.Signed, found.Hash
		v.draft = draft{rec: rec}
		v.several, v.action = true, sendToken
	case wasRetired:
		v.state = retired
	default:
		v.noSession(signed.Invalid)
	}
	return nil
}

// load loads the record of a token.
func (v *visit) load(ctx context.Context, token signed.Token) {
	v.signed, v.hash = token.Signed, token.Hash
	rec, err := v.firstLoad(ctx)
	switch {
	case err == nil:
		v.state, v.rec, v.size = live, rec, 0
	case errors.Is(err, store.ErrNotFound):
		v.state = absent
		v.debugRefused("unknown or expired")
	case errors.Is(err, store.ErrRetired):
		v.state = retired
		v.debugRefused("renewed")
	default:
		v.fail("loading", err)
	}
}

// firstLoad is Manager.load without an allocation, once: a store may keep the context of a call for longer.
func (v *visit) firstLoad(ctx context.Context) (*store.Record, error) {
	if v.loading.parent != nil {
		return v.s.m.load(ctx, v.hash)
	}
	v.loading.parent, v.loading.timeout = ctx, v.s.m.timeout
	return v.s.m.loadIn(&v.loading, v.hash)
}

// debugRefused logs with the context from before this session: a log handler that asks the context for the session's ID
// would else wait for the lock that is held here.
func (v *visit) debugRefused(why string) {
	if v.s.m.log.Enabled(v.s.ctx, slog.LevelDebug) {
		v.s.m.log.LogAttrs(v.s.ctx, slog.LevelDebug, "session: token refused", slog.String("why", why))
	}
}

// fail remembers that the store can't be relied on, for the rest of the request: a store that hangs costs one
// timeout, not one for each value, and a change of unknown outcome is never sent again.
func (v *visit) fail(doing string, err error) {
	v.state = failed
	v.forget()
	v.troubles().unavailable = fmt.Errorf("%w: %s: %w", ErrUnavailable, doing, err)
	v.s.m.log.LogAttrs(v.s.ctx, slog.LevelError, "session: store unavailable", slog.String("doing", doing), slog.Any("error", err))
}

// create makes sure that there is a session to change, and reports whether it made one.
func (v *visit) create() (made bool, err error) {
	if err := v.mayWrite(); err != nil || v.state != absent {
		return false, err
	}
	v.signed = ""
	id := signed.NewIdentity(&v.raw)
	v.hash = store.HashToken(v.raw[:])
	cfg := v.s.m.cfg
	v.change = store.Change{Created: true, ID: id, Touched: true, IdleTimeout: cfg.IdleTimeout, Lifetime: cfg.Lifetime}
	if cfg.Cookie.Persistent {
		v.change.Persistent = new(true)
	}
	v.state = fresh
	return true, nil
}

// mayWrite reports whether the session takes changes, or could be made to take them.
func (v *visit) mayWrite() error {
	switch {
	case v.state == ended, v.state == retired:
		return ErrEnded
	case v.state == absent && v.s.in(sealed):
		return fmt.Errorf("%w: a new session needs a cookie", ErrTooLate)
	}
	return nil
}

// current returns the session as this request sees it: the record with the request's own changes. It is nil where
// there is no session.
func (v *visit) current() (*store.Record, error) { return v.view(store.InstantOf(v.s.m.now())) }

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

// retry gives a store that has failed another chance. A session that was there and no longer is has ended.
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
	case v.state == retired, wasLive && v.state == absent:
		v.markEnded(keepToken)
		return ErrEnded
	case creates && v.state == live:
		v.madeGood(operation{kind: commit}) // it was one step, so all of it was made
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
		v.madeGood(operation{kind: commit})
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
		v.markEnded(keepToken)
	}
	return fromStore(err)
}
