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
	if v.s.x == nil {
		v.loadDetached(ctx)
		return nil
	}
	if _, twice := v.s.ctx.Value(v.s.m).(*Session); twice {
		v.state, v.troubles().unavailable = failed, errTwice
		return nil
	}
	v.at = store.InstantOf(v.s.m.now())
	tokens := v.s.x.tokens(v.found[:0])
	token, why := v.signer().Pick(tokens)
	switch why {
	case signed.Accepted:
		v.load(ctx, token)
	case signed.Several:
		v.choose(ctx, v.signer().Verified(tokens))
	default:
		v.noSession(why)
	}
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
// leaves browsers with a cookie of each scope, of which one soon is dead. If two are live, both are refused:
// an attacker may have planted one, and it can't be known which.
func (v *visit) choose(ctx context.Context, tokens []signed.Token) {
	if len(tokens) > maxLoads {
		v.noSession(signed.Several)
		return
	}
	var found signed.Token
	var rec *store.Record
	wasRetired := false
	for _, token := range tokens {
		r, err := v.s.m.load(ctx, token.Hash)
		switch {
		case err == nil && rec != nil:
			v.noSession(signed.Several)
			return
		case err == nil:
			found, rec = token, r
		case errors.Is(err, store.ErrRetired):
			wasRetired = true
		case !errors.Is(err, store.ErrNotFound):
			v.fail("loading", err)
			return
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
		if v.s.x == nil {
			v.state = ended // only a request can make a session in its place
		}
		v.debugRefused("unknown or expired")
	case errors.Is(err, store.ErrRetired):
		v.state = retired
		v.debugRefused("renewed")
	default:
		v.fail("loading", err)
	}
}

// firstLoad is backend.load without an allocation, once: a store may keep the context of a call for longer.
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
	v.troubles().unavailable = fmt.Errorf("%w: %s: %w", ErrUnavailable, doing, err)
	v.lose(v.unavailable)
	v.forget()
	v.s.m.log.LogAttrs(v.s.ctx, slog.LevelError, "session: store unavailable",
		slog.String("doing", doing), slog.Any("error", err))
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
	v.several = v.refusal == signed.Several // or the next request would have two live sessions again
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
