package session

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/lazysession/session/store"
)

// A backend is the one way to the store. Each call has a time limit, what comes back is checked to be what was asked
// for, and subscribers hear of what was done where the store does not tell them.
type backend struct {
	store   store.Store
	timeout time.Duration
	log     *slog.Logger
	events  hub
	watched bool // the store tells of events itself
}

// call returns the context for one store call, which the end of ctx does not cancel: a commit must not be lost with its
// client, and a load that is given up costs a database connection. The caller releases it.
func (b *backend) call(ctx context.Context) *storeContext {
	return &storeContext{parent: ctx, timeout: b.timeout}
}

// load returns the record of a token.
func (b *backend) load(ctx context.Context, hash store.Token) (*store.Record, error) {
	return b.loadIn(b.call(ctx), hash)
}

// loadIn is load in the context of a store call, which it releases.
func (b *backend) loadIn(call *storeContext, hash store.Token) (*store.Record, error) {
	defer call.release()
	rec, err := b.store.Load(call, hash)
	if err == nil && (rec == nil || rec.Token != hash) {
		err = b.refuseForeign(call, rec)
	}
	return rec, err
}

// commit applies a change to the record of a token, and returns the record after it; nil where the change wants none.
func (b *backend) commit(ctx context.Context, hash store.Token, id ID, change *store.Change) (*store.Record, error) {
	call := b.call(ctx)
	defer call.release()
	rec, err := b.store.Commit(call, hash, change)
	if err != nil {
		b.tellOfDoubt(change, err)
		return nil, err
	}
	if change.Renews() {
		hash = change.RenewTo
	}
	if rec == nil && !change.WantsRecord() {
		return nil, nil
	}
	if rec == nil || rec.Token != hash || rec.ID != id {
		return nil, b.refuseForeign(call, rec)
	}
	b.tellOfCommit(rec, change)
	return rec, nil
}

var errForeignRecord = errors.New("the store returned a record other than the one asked for")

// refuseForeign reports a record of another session: a fault of the store, a pooled connection's late answer, say,
// which must not show one visitor what is another's.
func (b *backend) refuseForeign(ctx context.Context, rec *store.Record) error {
	var got ID
	if rec != nil {
		got = rec.ID
	}
	b.log.LogAttrs(ctx, slog.LevelError, "session: record refused",
		slog.String("got", got.String()), slog.Any("error", errForeignRecord))
	return errForeignRecord
}

// end removes a record. e says which, and why.
func (b *backend) end(ctx context.Context, e store.Event) error {
	call := b.call(ctx)
	defer call.release()
	if err := b.store.End(call, e.ID, e.Reason); err != nil {
		b.tell(Event{Kind: EventMissed}) // it may be gone all the same
		return fromStore(err)
	}
	b.tell(e)
	return nil
}

// endOwner ends the sessions of an owner.
func (b *backend) endOwner(ctx context.Context, ender store.OwnerEnder, owner string, except []ID) (int, error) {
	call := b.call(ctx)
	defer call.release()
	n, err := ender.EndOwner(call, owner, except, Revoked)
	if n > 0 || err != nil {
		b.tell(Event{Kind: EventMissed}) // which ones ended, such a store doesn't say
	}
	return n, fromStore(err)
}

// tell tells subscribers, where the store doesn't do so itself.
func (b *backend) tell(e Event) {
	if !b.watched {
		b.events.tell(e)
	}
}

func (b *backend) tellOfCommit(rec *store.Record, change *store.Change) {
	if change.Created {
		b.tell(Event{Kind: EventCreated, ID: rec.ID, Owner: rec.Owner})
	}
	if change.Renews() {
		b.tell(Event{Kind: EventRenewed, ID: rec.ID, Owner: rec.Owner})
	}
}

// tellOfDoubt tells of a commit that may have been made although its answer is an error.
func (b *backend) tellOfDoubt(change *store.Change, err error) {
	if (change.Created || change.Renews()) && !isRefusal(err) {
		b.tell(Event{Kind: EventMissed})
	}
}

// isRefusal reports whether a store has refused a commit for sure.
func isRefusal(err error) bool {
	var edit *store.EditError
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrRetired) || errors.Is(err, store.ErrConflict) ||
		errors.As(err, &edit)
}
