package storetest_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lazysession/session/internal/suite"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/storetest"
)

// A mutant is a store with one mistake, and the rules that it has to break.
type mutant struct {
	name   string
	breaks string
	bend   func(*bent)
}

func TestEveryRuleCanFail(t *testing.T) { suite.Prove(t, storetest.RuleNames(), suiteMutants()) }

func suiteMutants() (all []suite.Mutant) {
	for _, m := range mutants {
		all = append(all, suite.Mutant{Name: m.name, Breaks: m.breaks})
	}
	return all
}

// TestMutant is what suite.Prove runs.
func TestMutant(t *testing.T) {
	i := suite.Chosen(t, suiteMutants())
	storetest.BeImpatient()
	storetest.Run(t, func(*testing.T) store.Store {
		b := &bent{reference: newReference()}
		mutants[i].bend(b)
		return b
	})
}

var mutants = slices.Concat(
	creatingMutants, changingMutants, renewingMutants, expiringMutants, owningMutants, listingMutants, tellingMutants,
	servingMutants, checkingMutants,
)

var errBent = errors.New("bent")

var creatingMutants = []mutant{
	{"loads anything", "load-unknown end", func(b *bent) {
		b.load = func(ctx context.Context, token store.Token) (*store.Record, error) {
			if r, err := b.reference.Load(ctx, token); err == nil {
				return r, nil
			}
			return &store.Record{Token: token}, nil
		}
	}},
	{"returns another version than it keeps", "create create-loads returns-after", afterwards(
		func(_ *bent, _ store.Token, _ *store.Change, r *store.Record, err error) (*store.Record, error) {
			if err == nil {
				r = new(*r)
				r.Version--
			}
			return r, err
		})},
	{"creates without timeouts", "create-needs-timeouts", before(func(_ *bent, _ store.Token, c *store.Change) {
		if c.Created {
			c.IdleTimeout, c.Lifetime = max(c.IdleTimeout, time.Hour), max(c.Lifetime, time.Hour)
		}
	})},
	{"creates over an existing record", "create-on-taken-token create-with-taken-id create-at-once",
		func(b *bent) {
			b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
				if c.Created {
					_ = b.End(ctx, c.ID, store.Evicted)
					b.forget(token)
				}
				return b.reference.Commit(ctx, token, c)
			}
		}},
	{"keeps what has expired", "create-over-expired", func(b *bent) {
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			if c.Created && (b.has(c.ID) || b.hasToken(token)) {
				return nil, store.ErrConflict
			}
			return b.reference.Commit(ctx, token, c)
		}
	}},
	{"creates on commit", "never-creates end-refuses-commits end-wins renew-ended", afterwards(
		func(b *bent, token store.Token, c *store.Change, r *store.Record, err error) (*store.Record, error) {
			if !errors.Is(err, store.ErrNotFound) {
				return r, err
			}
			c = new(*c)
			c.Created, c.ID, c.IdleTimeout, c.Lifetime = true, store.ID(token[:16]), time.Hour, time.Hour
			return b.reference.Commit(context.Background(), token, c)
		})},
	{"ends nothing", "end end-refuses-commits list-ended renewed-and-ended", func(b *bent) {
		b.end = func(context.Context, store.ID, store.Reason) error { return nil }
	}},
	{"ends late", "end end-wins everything-at-once", func(b *bent) {
		b.end = func(ctx context.Context, id store.ID, why store.Reason) error {
			time.AfterFunc(5*time.Millisecond, func() { _ = b.reference.End(context.Background(), id, why) })
			return nil
		}
	}},
	{"ends once only", "end-twice", func(b *bent) {
		b.end = func(ctx context.Context, id store.ID, why store.Reason) error {
			if !b.has(id) {
				return store.ErrNotFound
			}
			return b.reference.End(ctx, id, why)
		}
	}},
	{"ends everything", "end-one", func(b *bent) {
		b.end = func(ctx context.Context, _ store.ID, why store.Reason) error { return b.endAll(ctx, why) }
	}},
}

func (b *bent) forget(token store.Token) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.records, token)
}

func (b *bent) has(id store.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.tokens[id]
	return ok
}

func (b *bent) hasToken(token store.Token) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.records[token] != nil
}

func (b *bent) endAll(ctx context.Context, why store.Reason) error {
	for _, r := range b.snapshot() {
		if err := b.reference.End(ctx, r.ID, why); err != nil {
			return err
		}
	}
	return nil
}

// edited replaces each edit of a change by what f returns for it and for the document under its name.
func edited(f func(e store.Edit, doc string) store.Edit) func(*bent) {
	return before(func(b *bent, token store.Token, c *store.Change) {
		old, err := b.reference.Load(context.Background(), token)
		if err != nil {
			old = new(store.Record)
		}
		c.Edits = slices.Clone(c.Edits)
		for i, e := range c.Edits {
			doc, _ := old.Values.Get(e.Name)
			c.Edits[i] = f(e, doc)
		}
	})
}

// overwritten applies some changes to a record that it read a while before, and writes back the whole result.
func overwritten(some func(*store.Change) bool) func(*bent) {
	return func(b *bent) {
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			old, err := b.reference.Load(ctx, token)
			if err != nil || !some(c) {
				return b.reference.Commit(ctx, token, c)
			}
			time.Sleep(time.Millisecond)
			r, err := c.Apply(old, now())
			if err != nil {
				return nil, err
			}
			b.put(r)
			return r, nil
		}
	}
}

var changingMutants = []mutant{
	{"sets what is new only", "set", edited(func(e store.Edit, doc string) store.Edit {
		if e.Op == store.Set && doc != "" {
			e.JSON = doc
		}
		return e
	})},
	{"refuses to delete a missing value", "delete", func(b *bent) {
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			r, err := b.reference.Load(ctx, token)
			for _, e := range c.Edits {
				if _, ok := r.Values.Get(e.Name); err == nil && e.Op == store.Delete && !ok {
					return nil, errBent
				}
			}
			return b.reference.Commit(ctx, token, c)
		}
	}},
	{"clears last", "clear", before(func(_ *bent, _ store.Token, c *store.Change) {
		if c.Cleared {
			c.Edits = nil
		}
	})},
	{"replaces all labels", "labels", beforeChange(func(b *bent, token store.Token, c *store.Change) {
		labels := map[string]string{}
		if old, err := b.reference.Load(context.Background(), token); err == nil {
			for name := range old.Labels {
				labels[name] = c.Labels[name]
			}
		}
		for name, text := range c.Labels {
			labels[name] = text
		}
		c.Labels = labels
	})},
	{"forgets attributes", "attributes", beforeChange(func(_ *bent, _ store.Token, c *store.Change) {
		c.Persistent = nil
	})},
	{"refuses to change nothing", "change-nothing", func(b *bent) {
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			if c.IsZero() {
				return nil, errBent
			}
			return b.reference.Commit(ctx, token, c)
		}
	}},
	{"sets instead of adding", "add add-exact adds-at-once", edited(func(e store.Edit, _ string) store.Edit {
		if e.Op == store.Add {
			e.Op, e.JSON = store.Set, strconv.FormatInt(e.Delta, 10)
		}
		return e
	})},
	{"adds in floating point", "add-exact", edited(func(e store.Edit, doc string) store.Edit {
		if n, err := strconv.ParseFloat(doc, 64); err == nil && e.Op == store.Add {
			e.Op, e.JSON = store.Set, strconv.FormatInt(int64(n+float64(e.Delta)), 10)
		}
		return e
	})},
	{"adds around the corner", "add-beyond", edited(func(e store.Edit, doc string) store.Edit {
		if n, err := strconv.ParseInt(doc, 10, 64); err == nil && e.Op == store.Add {
			e.Op, e.JSON = store.Set, strconv.FormatInt(n+e.Delta, 10)
		}
		return e
	})},
	{"adds to anything", "add-not-integer", edited(func(e store.Edit, doc string) store.Edit {
		if _, err := store.AddJSON(doc, e.Delta); err != nil && e.Op == store.Add {
			e.Op, e.JSON = store.Set, "1"
		}
		return e
	})},
	{"adds beside the commit", "adds-at-once", edited(func(e store.Edit, doc string) store.Edit {
		if sum, err := store.AddJSON(doc, e.Delta); err == nil && e.Op == store.Add {
			time.Sleep(time.Millisecond)
			e.Op, e.JSON = store.Set, strconv.FormatInt(sum, 10)
		}
		return e
	})},
	{"does not name the value", "add-names-value", afterwards(
		func(_ *bent, _ store.Token, _ *store.Change, r *store.Record, err error) (*store.Record, error) {
			if errors.Is(err, store.ErrNotInteger) {
				err = store.ErrNotInteger
			}
			return r, err
		})},
	{"touches what it refuses", "refused-whole", afterwards(
		func(b *bent, token store.Token, _ *store.Change, r *store.Record, err error) (*store.Record, error) {
			if err != nil {
				_, _ = b.reference.Commit(context.Background(), token, &store.Change{Touched: true})
			}
			return r, err
		})},
	{"evicts before it refuses", "refused-whole", before(func(b *bent, _ store.Token, c *store.Change) {
		if c.MaxPerOwner == 1 {
			_, _ = b.reference.EndOwner(context.Background(), *c.Owner, nil, store.Evicted)
		}
	})},
	{"writes JSON its own way", "documents", edited(func(e store.Edit, _ string) store.Edit {
		var v any
		if json.Unmarshal([]byte(e.JSON), &v) == nil {
			doc, _ := json.Marshal(v)
			e.JSON = string(doc)
		}
		return e
	})},
	{"trims names", "names", edited(func(e store.Edit, _ string) store.Edit {
		e.Name = strings.TrimSpace(e.Name)
		return e
	})},
	{"keeps few values", "many-values", before(func(_ *bent, _ store.Token, c *store.Change) {
		c.Edits = c.Edits[:min(len(c.Edits), 500)]
	})},
	{"keeps small values", "big-value", edited(func(e store.Edit, _ string) store.Edit {
		e.JSON = e.JSON[:min(len(e.JSON), 1<<15)]
		return e
	})},
	{"overwrites with a snapshot", "edits-at-once end-wins", overwritten(func(c *store.Change) bool {
		return !c.Created
	})},
	{"changes records in place", "records-stay", func(b *bent) {
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			old, _ := b.reference.Load(ctx, token)
			r, err := b.reference.Commit(ctx, token, c)
			if old != nil && err == nil {
				*old = *r
			}
			return r, err
		}
	}},
	{"keeps the change's labels", "changes-are-not-kept", afterwards(
		func(b *bent, _ store.Token, c *store.Change, r *store.Record, err error) (*store.Record, error) {
			if err == nil {
				r = new(*r)
				r.Labels = c.Labels
				b.put(r)
			}
			return r, err
		})},
	{"writes into the change", "changes-stay", afterwards(
		func(_ *bent, _ store.Token, c *store.Change, r *store.Record, err error) (*store.Record, error) {
			if err == nil {
				c.IfVersion = r.Version
			}
			return r, err
		})},
	{"makes a version of each touch", "version touch", before(func(_ *bent, _ store.Token, c *store.Change) {
		if c.Touched {
			c.Cleared = c.Cleared || len(c.Edits) == 0
		}
	})},
	{"gives versions twice", "versions-at-once", func(b *bent) {
		b.load = func(ctx context.Context, token store.Token) (*store.Record, error) {
			r, err := b.reference.Load(ctx, token)
			return halved(r), err
		}
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			r, err := b.reference.Commit(ctx, token, c)
			return halved(r), err
		}
	}},
	{"always sees a conflict", "if-version", before(func(_ *bent, _ store.Token, c *store.Change) {
		if c.IfVersion != 0 {
			c.IfVersion += 1000
		}
	})},
	{"ignores IfVersion", "if-version-conflict if-version-at-once refused-whole create-with-condition",
		before(func(_ *bent, _ store.Token, c *store.Change) { c.IfVersion = 0 })},
	{"compares before it swaps", "compare-and-swap if-version-at-once if-value-at-once if-value-swap",
		judging(func(c *store.Change, old *store.Record) bool {
			defer time.Sleep(time.Millisecond)
			return c.Allows(old)
		})},
	{"checks no condition of an empty change", "if-version-conflict if-value-conflict",
		judging(func(c *store.Change, old *store.Record) bool { return c.IsZero() || c.Allows(old) })},
	{"ignores IfValue", "if-value-conflict if-value-letter if-value-at-once create-with-condition unseen-refused",
		before(func(_ *bent, _ store.Token, c *store.Change) { c.IfValue = nil })},
	{"expects a value always", "if-value", judging(func(c *store.Change, old *store.Record) bool {
		return c.Allows(old) && (c.IfValue == nil || c.IfValue.JSON != "")
	})},
	{"compares with the value afterwards", "if-value", judging(func(c *store.Change, old *store.Record) bool {
		r, err := c.Apply(old, now())
		return err == nil && (&store.Change{IfValue: c.IfValue}).Allows(r)
	})},
	{"takes null for no value", "if-value-conflict", judging(func(c *store.Change, old *store.Record) bool {
		c = new(*c)
		if c.IfValue != nil && c.IfValue.JSON == "null" {
			c.IfValue = &store.Value{Name: c.IfValue.Name}
		}
		return c.Allows(old)
	})},
	{"compares the meaning of documents", "if-value-letter", judging(func(c *store.Change, old *store.Record) bool {
		if c.IfValue == nil || c.IfValue.JSON == "" {
			return c.Allows(old)
		}
		doc, _ := old.Values.Get(c.IfValue.Name)
		var got, want any
		return json.Unmarshal([]byte(doc), &got) == nil && json.Unmarshal([]byte(c.IfValue.JSON), &want) == nil &&
			reflect.DeepEqual(got, want)
	})},
	{"compares the version for the value", "if-value-others", func(b *bent) {
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			if old, err := b.reference.Load(ctx, token); err == nil && c.IfValue != nil {
				time.Sleep(time.Millisecond)
				c = new(*c)
				c.IfVersion = old.Version
			}
			return b.reference.Commit(ctx, token, c)
		}
	}},
	{"counts an idle timeout from before", "touch-by-idle-timeout shorter-idle-timeout", func(b *bent) {
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			old, _ := b.reference.Load(ctx, token)
			r, err := b.reference.Commit(ctx, token, c)
			if old != nil && err == nil && !c.Touched {
				r = new(*r)
				r.LastSeen = old.LastSeen
				b.put(r)
			}
			return r, err
		}
	}},
	{"ignores touches", "touch touch-prolongs", before(func(_ *bent, _ store.Token, c *store.Change) {
		c.Touched = false
	})},
	{"touches always", "touch-alone only-touch-prolongs renew",
		before(func(_ *bent, _ store.Token, c *store.Change) { c.Touched = true })},
	{"does nothing unseen", "unseen", func(b *bent) {
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			if !c.WantsRecord() {
				return b.reference.Load(ctx, token)
			}
			return b.reference.Commit(ctx, token, c)
		}
	}},
	{"returns the record before an unseen change", "unseen", func(b *bent) {
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			old, _ := b.reference.Load(ctx, token)
			r, err := b.reference.Commit(ctx, token, c)
			if c.NoRecord && err == nil && old != nil {
				r = old
			}
			return r, err
		}
	}},
	{"touches nothing unseen", "unseen", before(func(_ *bent, _ store.Token, c *store.Change) {
		c.Touched = c.Touched && !c.NoRecord
	})},
	{"overwrites with a snapshot unseen", "unseen-adds-at-once", overwritten(func(c *store.Change) bool {
		return c.NoRecord
	})},
	{"evicts no session unseen", "unseen-limit", before(func(_ *bent, _ store.Token, c *store.Change) {
		if c.NoRecord {
			c.MaxPerOwner = 0
		}
	})},
	{"refuses nothing unseen", "unseen-refused", afterwards(
		func(_ *bent, _ store.Token, c *store.Change, r *store.Record, err error) (*store.Record, error) {
			if c.NoRecord {
				err = nil
			}
			return r, err
		})},
	{"returns no new record unseen", "unseen-token", afterwards(
		func(_ *bent, _ store.Token, c *store.Change, r *store.Record, err error) (*store.Record, error) {
			if c.NoRecord {
				r = nil
			}
			return r, err
		})},
	{"moves last-seen back", "touch touch-forward", func(b *bent) {
		b.load = func(ctx context.Context, token store.Token) (*store.Record, error) {
			r, err := b.reference.Load(ctx, token)
			if err == nil {
				r = new(*r)
				r.LastSeen = r.Created
			}
			return r, err
		}
	}},
}

// judging checks the conditions of changes in another way, and then commits the changes without them.
func judging(allows func(c *store.Change, old *store.Record) bool) func(*bent) {
	return func(b *bent) {
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			if old, err := b.reference.Load(ctx, token); err == nil && !allows(c, old) {
				return nil, store.ErrConflict
			}
			c = new(*c)
			c.IfVersion, c.IfValue = 0, nil
			return b.reference.Commit(ctx, token, c)
		}
	}
}

func halved(r *store.Record) *store.Record {
	if r == nil {
		return nil
	}
	r = new(*r)
	r.Version = (r.Version + 1) / 2
	return r
}

func (b *bent) put(r *store.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.putLocked(r)
}

var renewingMutants = []mutant{
	{"clears at renewal", "renew renew-at-once limit-renewal", before(func(_ *bent, _ store.Token, c *store.Change) {
		c.Cleared = c.Cleared || c.RenewTo != store.Token{}
	})},
	{"forgets to retire", "renew-retires renew-again renew-at-once renew-no-gap renew-no-overlap", func(b *bent) {
		b.load = func(ctx context.Context, token store.Token) (*store.Record, error) {
			r, err := b.reference.Load(ctx, token)
			return r, unretired(err)
		}
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			r, err := b.reference.Commit(ctx, token, c)
			return r, unretired(err)
		}
	}},
	{"renews alone", "renew-and-change", before(func(_ *bent, _ store.Token, c *store.Change) {
		if c.RenewTo != (store.Token{}) {
			c.Edits = nil
		}
	})},
	{"renews onto another", "renew-to-taken refused-whole", before(func(b *bent, _ store.Token, c *store.Change) {
		b.forget(c.RenewTo)
	})},
	{"renews in two steps", "renew-no-gap", func(b *bent) {
		var gap sync.Map
		b.load = func(ctx context.Context, token store.Token) (*store.Record, error) {
			if _, in := gap.Load(token); in {
				return nil, store.ErrNotFound
			}
			return b.reference.Load(ctx, token)
		}
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			gap.Store(c.RenewTo, true)
			defer gap.Delete(c.RenewTo)
			defer time.Sleep(time.Millisecond)
			return b.reference.Commit(ctx, token, c)
		}
	}},
	{"gives the old token a grace period", "renew-no-overlap renew-retires renewed-and-ended", func(b *bent) {
		var graces sync.Map
		b.load = func(ctx context.Context, token store.Token) (*store.Record, error) {
			if r, ok := graces.Load(token); ok {
				return r.(*store.Record), nil
			}
			return b.reference.Load(ctx, token)
		}
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			old, _ := b.reference.Load(ctx, token)
			r, err := b.reference.Commit(ctx, token, c)
			if err == nil && r.Token != token {
				graces.Store(token, old)
			}
			return r, err
		}
	}},
	{"lets every renewal win", "renew-at-once", func(b *bent) {
		var moved sync.Map
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			if to, ok := moved.Load(token); ok {
				token = to.(store.Token)
			}
			r, err := b.reference.Commit(ctx, token, c)
			if err == nil && r.Token != token {
				moved.Store(token, r.Token)
			}
			return r, err
		}
	}},
}

func unretired(err error) error {
	if errors.Is(err, store.ErrRetired) {
		return store.ErrNotFound
	}
	return err
}

var expiringMutants = []mutant{
	{"never expires", `expires-when-idle expires-in-the-end expired-takes-no-change expired-is-not-listed
		shorter-idle-timeout shorter-lifetime limit-expired end-owner-expired only-touch-prolongs`,
		before(func(_ *bent, _ store.Token, c *store.Change) {
			c.IdleTimeout, c.Lifetime = time.Hour, time.Hour
		})},
	{"expires early", "expires-when-idle expires-in-the-end", before(func(_ *bent, _ store.Token, c *store.Change) {
		c.IdleTimeout, c.Lifetime = c.IdleTimeout/2, c.Lifetime/2
	})},
	{"keeps the first timeouts", "shorter-idle-timeout longer-idle-timeout shorter-lifetime longer-lifetime attributes",
		beforeChange(func(_ *bent, _ store.Token, c *store.Change) { c.IdleTimeout, c.Lifetime = 0, 0 })},
}

var owningMutants = []mutant{
	{"folds owners", "owners", func(b *bent) {
		before(func(_ *bent, _ store.Token, c *store.Change) {
			if c.Owner != nil {
				c.Owner = new(strings.ToLower(*c.Owner))
			}
		})(b)
		b.endOwner = func(ctx context.Context, owner string, except []store.ID, why store.Reason) (int, error) {
			return b.reference.EndOwner(ctx, strings.ToLower(owner), except, why)
		}
	}},
	{"excepts none", "end-owner watch-end-owner", func(b *bent) {
		b.endOwner = func(ctx context.Context, owner string, _ []store.ID, why store.Reason) (int, error) {
			return b.reference.EndOwner(ctx, owner, nil, why)
		}
	}},
	{"ends all owners", "end-owner-others end-nobody", func(b *bent) {
		b.endOwner = func(ctx context.Context, owner string, except []store.ID, why store.Reason) (int, error) {
			n, _ := b.reference.EndOwner(ctx, owner, except, why)
			return n, b.endAll(ctx, why)
		}
	}},
	{"keeps the first owner", "attributes end-owner-moved list-moved limit-renewal",
		beforeChange(func(_ *bent, _ store.Token, c *store.Change) { c.Owner = nil })},
	{"counts what has expired", "end-owner-expired", func(b *bent) {
		b.endOwner = func(ctx context.Context, owner string, except []store.ID, why store.Reason) (int, error) {
			expired := b.expiredOf(owner)
			n, err := b.reference.EndOwner(ctx, owner, except, why)
			return n + expired, err
		}
	}},
	{"ends owners late", "end-owner end-owner-wins", func(b *bent) {
		b.endOwner = func(ctx context.Context, owner string, except []store.ID, why store.Reason) (int, error) {
			time.AfterFunc(20*time.Millisecond, func() { _, _ = b.reference.EndOwner(ctx, owner, except, why) })
			return 0, nil
		}
	}},
	{"ends the sessions that an owner had a while before", "end-owner-wins", func(b *bent) {
		b.endOwner = func(ctx context.Context, owner string, _ []store.ID, why store.Reason) (int, error) {
			had := b.of(owner)
			time.Sleep(5 * time.Millisecond)
			for _, r := range had {
				_ = b.reference.End(ctx, r.ID, why)
			}
			return len(had), nil
		}
	}},
	{"ends an owner's sessions one by one", "end-owner-wins", func(b *bent) {
		b.endOwner = func(ctx context.Context, owner string, except []store.ID, why store.Reason) (int, error) {
			if had := b.of(owner); len(had) > 0 {
				oldest := slices.MinFunc(had, func(a, b *store.Record) int { return cmp.Compare(a.Created, b.Created) })
				_ = b.reference.End(ctx, oldest.ID, why)
				time.Sleep(5 * time.Millisecond)
				n, err := b.reference.EndOwner(ctx, owner, except, why)
				return n + 1, err
			}
			return 0, nil
		}
	}},
	{"counts sessions that it does not end", "end-owner-wins end-owner", func(b *bent) {
		b.endOwner = func(ctx context.Context, owner string, except []store.ID, why store.Reason) (int, error) {
			n, err := b.reference.EndOwner(ctx, owner, except, why)
			return n + 1, err
		}
	}},
	{"has no limit", "limit limit-always limit-renewal limit-spares-self limit-lowered limit-exact watch-evicted",
		before(func(_ *bent, _ store.Token, c *store.Change) { c.MaxPerOwner = 0 })},
	{"evicts itself", "limit limit-spares-self", afterwards(
		func(b *bent, _ store.Token, c *store.Change, r *store.Record, err error) (*store.Record, error) {
			if err == nil && c.MaxPerOwner > 0 {
				_ = b.reference.End(context.Background(), r.ID, store.Evicted)
			}
			return r, err
		})},
	{"counts itself twice", "limit limit-counts-once", before(func(_ *bent, _ store.Token, c *store.Change) {
		c.MaxPerOwner = max(1, c.MaxPerOwner-1)
	})},
	{"evicts one at most", "limit-lowered", before(func(b *bent, _ store.Token, c *store.Change) {
		if c.MaxPerOwner > 0 {
			c.MaxPerOwner = max(c.MaxPerOwner, len(b.of(*c.Owner)))
		}
	})},
	{"evicts sessions of the empty owner", "limit-others", before(func(b *bent, _ store.Token, c *store.Change) {
		if c.MaxPerOwner > 0 && *c.Owner == "" {
			for _, r := range b.of("") {
				_ = b.reference.End(context.Background(), r.ID, store.Evicted)
			}
		}
	})},
	{"limits what has expired", "limit-expired", before(func(b *bent, _ store.Token, c *store.Change) {
		if c.MaxPerOwner > 0 {
			c.MaxPerOwner = max(1, c.MaxPerOwner-b.expiredOf(*c.Owner))
		}
	})},
	{"limits after the commit", "limit-always", func(b *bent) {
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			most := c.MaxPerOwner
			c = new(*c)
			c.MaxPerOwner = 0
			r, err := b.reference.Commit(ctx, token, c)
			if err != nil || most == 0 {
				return r, err
			}
			time.Sleep(time.Millisecond)
			others := slices.DeleteFunc(b.of(*c.Owner), func(other *store.Record) bool { return other.ID == r.ID })
			for _, other := range others[:max(0, len(others)+1-most)] {
				_ = b.reference.End(ctx, other.ID, store.Evicted)
			}
			return r, nil
		}
	}},
	{"limits beside the commit", "limit-exact", func(b *bent) {
		const workers = 12 // of the rule
		var looking atomic.Int32
		all := make(chan struct{}) // closed when each of them has counted the others, and none has committed
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			var others []*store.Record
			if c.MaxPerOwner > 0 {
				others = b.of(*c.Owner)
				if looking.Add(1) == workers {
					close(all)
				}
				<-all
			}
			for _, r := range others[:max(0, min(len(others), len(others)+1-c.MaxPerOwner))] {
				_ = b.reference.End(ctx, r.ID, store.Evicted)
			}
			c = new(*c)
			c.MaxPerOwner = 0
			return b.reference.Commit(ctx, token, c)
		}
	}},
	{"deadlocks over owners", "owners-at-once everything-at-once", func(b *bent) {
		var busy atomic.Int32
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			defer busy.Add(-1)
			if busy.Add(1) > 1 && c.Owner != nil {
				return nil, errBent
			}
			time.Sleep(time.Millisecond)
			return b.reference.Commit(ctx, token, c)
		}
	}},
}

func (b *bent) of(owner string) []*store.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ofLocked(owner)
}

func (b *bent) expiredOf(owner string) int {
	n := 0
	for _, r := range b.snapshot() {
		if r.Owner == owner && r.Expired(now()) {
			n++
		}
	}
	return n
}

// listed passes the result of every List to edit.
func listed(
	edit func(b *bent, yield func(*store.Record, error) bool, all iter.Seq2[*store.Record, error]),
) func(*bent) {
	return func(b *bent) {
		b.list = func(ctx context.Context, filter store.Filter) iter.Seq2[*store.Record, error] {
			return func(yield func(*store.Record, error) bool) { edit(b, yield, b.reference.List(ctx, filter)) }
		}
	}
}

// filtered passes each filter to edit, and lists by what it returns.
func filtered(edit func(store.Filter) store.Filter) func(*bent) {
	return func(b *bent) {
		b.list = func(ctx context.Context, filter store.Filter) iter.Seq2[*store.Record, error] {
			return b.reference.List(ctx, edit(filter))
		}
	}
}

var listingMutants = []mutant{
	{"lists twice", "list list-owner", listed(
		func(_ *bent, yield func(*store.Record, error) bool, all iter.Seq2[*store.Record, error]) {
			for r, err := range all {
				for range 2 {
					if !yield(r, err) {
						return
					}
				}
			}
		})},
	{"lists all but one", "list list-owner", listed(
		func(_ *bent, yield func(*store.Record, error) bool, all iter.Seq2[*store.Record, error]) {
			first := true
			for r, err := range all {
				if !first && !yield(r, err) {
					return
				}
				first = false
			}
		})},
	{"lists all owners", "list-owner list-moved", filtered(func(store.Filter) store.Filter {
		return store.Filter{All: true}
	})},
	{"lists all for the zero filter", "list-nobody", filtered(func(f store.Filter) store.Filter {
		f.All = f.All || f.Owner == ""
		return f
	})},
	{"lists one owner of all", "list", filtered(func(f store.Filter) store.Filter {
		f.All = f.All && f.Owner == ""
		return f
	})},
	{"loses connections to broken loops", "list-break", func(b *bent) {
		pool := make(chan struct{}, 10)
		listed(func(_ *bent, yield func(*store.Record, error) bool, all iter.Seq2[*store.Record, error]) {
			select {
			case pool <- struct{}{}:
			default:
				yield(nil, errBent)
				return
			}
			for r, err := range all {
				if !yield(r, err) {
					return
				}
			}
			<-pool
		})(b)
	}},
	{"locks while it lists", "list-and-change", func(b *bent) {
		var listing atomic.Bool
		listed(func(_ *bent, yield func(*store.Record, error) bool, all iter.Seq2[*store.Record, error]) {
			listing.Store(true)
			defer listing.Store(false)
			all(yield)
		})(b)
		b.load = func(ctx context.Context, token store.Token) (*store.Record, error) {
			if listing.Load() {
				return nil, errBent
			}
			return b.reference.Load(ctx, token)
		}
	}},
	{"lists on after an error", "list-cancelled", listed(
		func(_ *bent, yield func(*store.Record, error) bool, all iter.Seq2[*store.Record, error]) {
			for r, err := range all {
				if !yield(r, err) || err != nil && !yield(r, err) {
					return
				}
			}
		})},
}

var tellingMutants = []mutant{
	{"tells of no renewal", "watch", told(func(e store.Event, tell func(store.Event)) {
		if e.Kind != store.Renewed {
			tell(e)
		}
	})},
	{"tells no owner", "watch watch-quiet", told(func(e store.Event, tell func(store.Event)) {
		e.Owner = ""
		tell(e)
	})},
	{"tells always the same reason", "watch-ended-once watch-end-owner watch-evicted watch-expired",
		told(func(e store.Event, tell func(store.Event)) {
			if e.Kind == store.Ended {
				e.Reason = store.LoggedOut
			}
			tell(e)
		})},
	{"tells of every commit", "watch-quiet", afterwards(
		func(b *bent, _ store.Token, c *store.Change, r *store.Record, err error) (*store.Record, error) {
			if err == nil && !c.Created {
				b.Tell(store.Event{Kind: store.Renewed, ID: r.ID, Owner: r.Owner})
			}
			return r, err
		})},
	{"tells of every End", "watch-ended-once", func(b *bent) {
		b.end = func(ctx context.Context, id store.ID, why store.Reason) error {
			if !b.has(id) {
				b.Tell(store.Event{Kind: store.Ended, ID: id, Reason: why})
			}
			return b.reference.End(ctx, id, why)
		}
	}},
	{"tells the first watcher only", "watch-all watch-cancel", func(b *bent) {
		var watched atomic.Bool
		b.watch = func(f func(store.Event)) func() {
			if watched.Swap(true) {
				return func() {}
			}
			return b.reference.Watch(f)
		}
	}},
	{"never stops telling", "watch-cancel", func(b *bent) {
		b.watch = func(f func(store.Event)) func() {
			b.reference.Watch(f)
			return func() {}
		}
	}},
}

var servingMutants = []mutant{
	{"sweeps for ever", "sweep-ends", func(b *bent) {
		b.sweep = func(context.Context) (time.Duration, error) { return 0, nil }
	}},
	{"sweeps what lives", "sweep-spares", func(b *bent) {
		b.sweep = func(ctx context.Context) (time.Duration, error) { return time.Second, b.endAll(ctx, store.Expired) }
	}},
	{"can't be reached", "ping", func(b *bent) {
		b.ping = func(context.Context) error { return errBent }
	}},
	{"does half when cancelled", "cancelled-returns", func(b *bent) {
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			if ctx.Err() != nil && len(c.Edits) > 0 {
				c = &store.Change{Edits: c.Edits[:1]}
			}
			return b.reference.Commit(ctx, token, c)
		}
	}},
	{"gives the next caller the cancelled answer", "cancelled-harms-nobody", func(b *bent) {
		var left atomic.Pointer[store.Record]
		b.load = func(ctx context.Context, token store.Token) (*store.Record, error) {
			if r := left.Swap(nil); r != nil {
				return r, nil
			}
			r, err := b.reference.Load(ctx, token)
			if ctx.Err() != nil {
				left.Store(r)
			}
			return r, err
		}
	}},
}
