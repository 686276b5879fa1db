package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/lazysession/session/store"
)

var versionRules = []rule{
	{"version", "Each change adds 1 to the version, but a change that only touches adds nothing.", version},
	{"if-version", "IfVersion allows a change at that version.", ifVersion},
	{"if-version-conflict", "IfVersion refuses a change at any other version with ErrConflict, also a touch and a " +
		"change of nothing.", ifVersionConflict},
	{"if-version-at-once", "Of several changes at once that name the same version, one succeeds.", ifVersionAtOnce},
	{"compare-and-swap", "A loop that loads, and commits with IfVersion until it succeeds, loses nothing.",
		compareAndSwap},
}

func version(p *probe) {
	r := p.create(creation(set("a", "1")))
	for _, c := range []*store.Change{
		change(set("a", "1")),
		change(remove("nothing")),
		change(add("n", 0)),
		{Cleared: true},
		{Persistent: new(false)},
		{Owner: new("")},
		{IdleTimeout: idleTimeout, Lifetime: lifetime},
		{Labels: map[string]string{"device": "phone"}},
		everyKindOfChange(),
	} {
		want := r.Version + 1
		if r = p.commit(r.Token, c); r.Version != want {
			p.Fatalf("version after %+v: got %d, want %d", c, r.Version, want)
		}
	}
	if got := p.commit(r.Token, &store.Change{Touched: true}).Version; got != r.Version {
		p.Errorf("version after a touch: got %d, want %d", got, r.Version)
	}
}

func ifVersion(p *probe) {
	r := p.create(creation(set("a", "1")))
	for range 3 {
		c := change(add("a", 1))
		c.IfVersion = r.Version
		r = p.commit(r.Token, c)
	}
	p.wantValues(p.load(r.Token), "a", "4")
}

func ifVersionConflict(p *probe) {
	old := p.create(creation(set("a", "1")))
	r := p.commit(old.Token, change(set("a", "2")))
	p.nextInstant()
	for _, version := range []uint32{old.Version, r.Version + 1} {
		p.wantCommit(r.Token, &store.Change{IfVersion: version, Edits: []store.Edit{set("a", "3")}}, store.ErrConflict)
		p.wantCommit(r.Token, &store.Change{IfVersion: version, Touched: true}, store.ErrConflict)
		p.wantCommit(r.Token, &store.Change{IfVersion: version}, store.ErrConflict)
		p.wantUnchanged(r)
	}
}

func ifVersionAtOnce(p *probe) {
	r := p.create(creation())
	p.oneSucceeds(r.Token, func() *store.Change {
		c := change(add("n", 1))
		c.IfVersion = r.Version
		return c
	})
	p.wantValues(p.load(r.Token), "n", "1")
}

// oneSucceeds commits changes at once that exclude each other, and tests that one succeeds and the others conflict.
func (p *probe) oneSucceeds(token store.Token, change func() *store.Change) {
	p.Helper()
	var succeeded atomic.Int32
	p.together(6, func(int) error {
		switch _, err := p.store.Commit(p.ctx, token, change()); {
		case err == nil:
			succeeded.Add(1)
		case !errors.Is(err, store.ErrConflict):
			return fmt.Errorf("commit with a condition: got error %w, want none or %w", err, store.ErrConflict)
		}
		return nil
	})
	if n := succeeded.Load(); n != 1 {
		p.Errorf("%d of the changes succeeded, want 1", n)
	}
}

func compareAndSwap(p *probe) {
	const workers, each = 4, 20
	r := p.create(creation(set("n", "0")))
	p.together(workers, func(int) error {
		return p.swap(r.Token, each, func(c *store.Change, r *store.Record, _ string) { c.IfVersion = r.Version })
	})
	p.wantValues(p.load(r.Token), "n", fmt.Sprint(workers*each))
}

// swap adds 1 to "n" by Set a number of times, and tries again after each conflict. Each change expects what was
// loaded: a record, and the document in it.
func (p *probe) swap(token store.Token, times int, expect func(c *store.Change, r *store.Record, doc string)) error {
	for range times {
		if err := p.swapOnce(token, expect); err != nil {
			return err
		}
	}
	return nil
}

func (p *probe) swapOnce(token store.Token, expect func(c *store.Change, r *store.Record, doc string)) error {
	for {
		r, err := checked(p.store.Load(p.ctx, token))
		if err != nil {
			return fmt.Errorf("load: %w", err)
		}
		doc, _ := r.Values.Get("n")
		n, err := store.AddJSON(doc, 1)
		if err != nil {
			return fmt.Errorf("value %q: %w", doc, err)
		}
		c := change(set("n", fmt.Sprint(n)))
		expect(c, r, doc)
		if _, err = p.store.Commit(p.ctx, token, c); err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("commit with a condition: %w", err)
		}
	}
}
