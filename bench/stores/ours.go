package stores

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/lazysession/session/bench/measure"
	"github.com/lazysession/session/store"
)

// ours is a store of this library.
type ours struct {
	store  store.Store
	values []value // of each session
}

func (o ours) name() string { return measure.Ours }

func (o ours) exact() bool { return true }

func (o ours) put(ctx context.Context, n int, ends time.Time) error {
	edits := []store.Edit{{Name: "user", JSON: strconv.Itoa(user(n))}}
	for _, v := range o.values {
		edits = append(edits, store.Edit{Name: v.name, JSON: v.json})
	}
	_, err := o.store.Commit(ctx, token(n), &store.Change{
		Created: true, ID: id(n), Touched: true, IdleTimeout: time.Until(ends), Lifetime: 24 * time.Hour, Edits: edits,
	})
	return err
}

func id(n int) store.ID {
	t := token(n)
	return store.ID(t[16:])
}

func (o ours) load(ctx context.Context, n int) error {
	_, err := o.store.Load(ctx, token(n))
	return err
}

func (o ours) reader(sessions []int) func(i int) error {
	tokens := make([]store.Token, len(sessions))
	for i, n := range sessions {
		tokens[i] = token(n)
	}
	return func(i int) error {
		_, err := o.store.Load(context.Background(), tokens[i])
		return err
	}
}

// change commits as a request does whose response begins.
func (o ours) change(ctx context.Context, n int, c *store.Change) error {
	c.NoRecord = true
	_, err := o.store.Commit(ctx, token(n), c)
	return err
}

func (o ours) set(ctx context.Context, n int) error {
	return o.change(ctx, n, &store.Change{Edits: []store.Edit{{Name: "lang", JSON: `"de"`}}})
}

func (o ours) touch(ctx context.Context, n int) error {
	return o.change(ctx, n, &store.Change{Touched: true})
}

func (o ours) count(ctx context.Context, n int) error {
	if err := o.load(ctx, n); err != nil {
		return err
	}
	return o.change(ctx, n, &store.Change{Edits: []store.Edit{{Name: "hits", Op: store.Add, Delta: 1}}})
}

func (o ours) value(ctx context.Context, n int, name string) (string, error) {
	r, err := o.store.Load(ctx, token(n))
	if err != nil {
		return "", err
	}
	doc, _ := r.Values.Get(name)
	return strings.Trim(doc, `"`), nil
}

func (o ours) ends(ctx context.Context, n int) (time.Time, error) {
	r, err := o.store.Load(ctx, token(n))
	if err != nil {
		return time.Time{}, err
	}
	return r.Expires().Time(), nil
}
