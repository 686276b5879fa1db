package storetest_test

import (
	"context"
	"iter"
	"time"

	"github.com/lazysession/session/store"
)

// A bent store is the reference with some methods replaced by wrong ones; a nil field leaves the right one.
type bent struct {
	*reference
	load     func(context.Context, store.Token) (*store.Record, error)
	commit   func(context.Context, store.Token, *store.Change) (*store.Record, error)
	end      func(context.Context, store.ID, store.Reason) error
	endOwner func(context.Context, string, []store.ID, store.Reason) (int, error)
	check    func(context.Context, []store.ID) ([]store.ID, error)
	list     func(context.Context, store.Filter) iter.Seq2[*store.Record, error]
	watch    func(func(store.Event)) (cancel func())
	sweep    func(context.Context) (time.Duration, error)
	ping     func(context.Context) error
}

func (b *bent) Load(ctx context.Context, token store.Token) (*store.Record, error) {
	if b.load != nil {
		return b.load(ctx, token)
	}
	return b.reference.Load(ctx, token)
}

func (b *bent) Commit(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
	if b.commit != nil {
		return b.commit(ctx, token, c)
	}
	return b.reference.Commit(ctx, token, c)
}

func (b *bent) End(ctx context.Context, id store.ID, why store.Reason) error {
	if b.end != nil {
		return b.end(ctx, id, why)
	}
	return b.reference.End(ctx, id, why)
}

func (b *bent) EndOwner(ctx context.Context, owner string, except []store.ID, why store.Reason) (int, error) {
	if b.endOwner != nil {
		return b.endOwner(ctx, owner, except, why)
	}
	return b.reference.EndOwner(ctx, owner, except, why)
}

func (b *bent) List(ctx context.Context, filter store.Filter) iter.Seq2[*store.Record, error] {
	if b.list != nil {
		return b.list(ctx, filter)
	}
	return b.reference.List(ctx, filter)
}

func (b *bent) Watch(f func(store.Event)) (cancel func()) {
	if b.watch != nil {
		return b.watch(f)
	}
	return b.reference.Watch(f)
}

func (b *bent) Sweep(ctx context.Context) (time.Duration, error) {
	if b.sweep != nil {
		return b.sweep(ctx)
	}
	return b.reference.Sweep(ctx)
}

func (b *bent) Ping(ctx context.Context) error {
	if b.ping != nil {
		return b.ping(ctx)
	}
	return b.reference.Ping(ctx)
}

// before has edit change each change before it is committed.
func before(edit func(b *bent, token store.Token, c *store.Change)) func(*bent) {
	return func(b *bent) {
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			c = new(*c)
			edit(b, token, c)
			return b.reference.Commit(ctx, token, c)
		}
	}
}

// beforeChange is before, but only for changes of existing sessions.
func beforeChange(edit func(b *bent, token store.Token, c *store.Change)) func(*bent) {
	return before(func(b *bent, token store.Token, c *store.Change) {
		if !c.Created {
			edit(b, token, c)
		}
	})
}

// afterwards returns what then returns for a commit's result.
func afterwards(
	then func(b *bent, token store.Token, c *store.Change, r *store.Record, err error) (*store.Record, error),
) func(*bent) {
	return func(b *bent) {
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			r, err := b.reference.Commit(ctx, token, c)
			return then(b, token, c, r, err)
		}
	}
}

// told passes every event to edit, which may tell this event, another one or none.
func told(edit func(e store.Event, tell func(store.Event))) func(*bent) {
	return func(b *bent) {
		b.watch = func(f func(store.Event)) func() {
			return b.reference.Watch(func(e store.Event) { edit(e, f) })
		}
	}
}
