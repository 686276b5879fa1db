package storetest

import (
	"errors"
	"fmt"

	"github.com/lazysession/session/store"
)

var unseenRules = []rule{
	{"unseen", "A change with NoRecord does the same as without it, and returns the record after it or nil.", unseen},
	{"unseen-limit", "MaxPerOwner holds for a change with NoRecord.", unseenLimit},
	{"unseen-adds-at-once", "Adds with NoRecord and without, at once, add up exactly.", unseenAddsAtOnce},
	{"unseen-refused", "A change with NoRecord is refused where it is refused without it, and then changes nothing.",
		unseenRefused},
	{"unseen-token", "A change with NoRecord that creates or renews still returns the record.", unseenToken},
}

func unseen(p *probe) {
	old := p.create(creationFor(newOwner(), set("a", "1")))
	for _, c := range []*store.Change{
		change(set("a", "2"), add("n", 3)),
		change(add("n", 4)),
		change(remove("a")),
		{Touched: true},
		{Touched: true, IfVersion: old.Version + 3, Cleared: true, Edits: []store.Edit{set("b", "1")}},
		{Owner: new(newOwner()), Labels: map[string]string{"device": "phone"}},
		{Persistent: new(true), IdleTimeout: 2 * idleTimeout, Lifetime: 2 * lifetime},
	} {
		c.NoRecord = true
		p.nextInstant()
		r, err := p.store.Commit(p.ctx, old.Token, c)
		if err != nil {
			p.Fatalf("Commit of %+v: %v", c, err)
		}
		got := p.load(old.Token)
		if r != nil {
			p.wantSame(r, got)
		}
		if moved := got.LastSeen > old.LastSeen; moved != (c.Touched || c.IdleTimeout != 0) {
			p.Errorf("last-seen moved by %+v: got %v, want %v", c, moved, !moved)
		}
		if old, err = c.Apply(old, got.LastSeen); err != nil {
			p.Fatal(err)
		}
		p.wantSame(got, old)
	}
}

func unseenLimit(p *probe) {
	owner := newOwner()
	rs := p.createSome(2, owner)
	guest := p.create(creation())
	c := limited(&store.Change{NoRecord: true}, owner, 2)
	if _, err := p.store.Commit(p.ctx, guest.Token, c); err != nil {
		p.Fatalf("Commit: %v", err)
	}
	p.wantLoad(rs[0].Token, store.ErrNotFound)
	p.wantUnchanged(rs[1])
	if got := p.load(guest.Token).Owner; got != owner {
		p.Errorf("owner: got %q, want %q", got, owner)
	}
}

func unseenAddsAtOnce(p *probe) {
	const workers, each = 8, 20
	r := p.create(creation())
	p.together(workers, func(i int) error {
		for range each {
			c := change(add("n", 3))
			c.NoRecord = i%2 == 0
			if _, err := p.store.Commit(p.ctx, r.Token, c); err != nil {
				return fmt.Errorf("commit: %w", err)
			}
		}
		return nil
	})
	p.wantValues(p.load(r.Token), "n", fmt.Sprint(3*workers*each))
}

func unseenRefused(p *probe) {
	old := p.create(creation(set("a", `"text"`)))
	ended := p.create(creation())
	p.end(ended.ID, store.LoggedOut)
	c := change(add("a", 1))
	c.NoRecord = true

	p.wantCommit(newToken(), c, store.ErrNotFound)
	p.wantCommit(ended.Token, c, store.ErrNotFound)
	_, err := p.store.Commit(p.ctx, old.Token, c)
	p.wantError("Commit of an addition to a text", err, store.ErrNotInteger)
	var edit *store.EditError
	if !errors.As(err, &edit) || edit.Name != "a" {
		p.Errorf("Commit of an addition to a text: got error %v, want one that names the value", err)
	}
	for _, c := range []*store.Change{{IfVersion: old.Version + 1}, {IfValue: value("a", "1")}} {
		c.NoRecord, c.Edits = true, []store.Edit{set("a", "1")}
		p.wantCommit(old.Token, c, store.ErrConflict)
	}
	p.wantUnchanged(old)

	renewed := p.commit(old.Token, renewal(newToken()))
	p.wantCommit(old.Token, c, store.ErrRetired)
	p.wantUnchanged(renewed)
}

func unseenToken(p *probe) {
	c := creationFor(newOwner(), set("a", "1"))
	c.NoRecord = true
	r := p.create(c)
	p.wantUnchanged(r)
	c = renewal(newToken(), set("a", "2"))
	c.NoRecord = true
	r = p.commit(r.Token, c)
	p.wantUnchanged(r)
}
