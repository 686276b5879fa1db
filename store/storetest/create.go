package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/lazysession/session/store"
)

var createRules = []rule{
	{"load-unknown", "A token that no record has is ErrNotFound.", loadUnknown},
	{"create", "A new record is what its Change says, at version 1, created and last seen now.", create},
	{"create-loads", "A new record loads as Commit returned it.", createLoads},
	{"create-needs-timeouts", "A new record without timeouts is refused.", createNeedsTimeouts},
	{"create-on-taken-token", "A creation under a token that has a record is ErrConflict, and the record stays as it was.",
		createOnTakenToken},
	{"create-with-taken-id", "A creation with an ID that has a record is ErrConflict, and the record stays as it was.",
		createWithTakenID},
	{"create-at-once", "Of several creations under one token at once, one succeeds and the others are ErrConflict.",
		createAtOnce},
	{"create-over-expired", "The token and the ID of an expired record are free for a new one.",
		createOverExpired},
	{"create-with-condition", "A creation with IfVersion or IfValue is ErrConflict, and creates nothing.",
		createWithCondition},
	{"never-creates", "A Change without Created is ErrNotFound on an unknown token, and creates nothing.", neverCreates},
}

func loadUnknown(p *probe) {
	p.create(creation())
	p.wantLoad(newToken(), store.ErrNotFound)
}

func create(p *probe) {
	token, c := newToken(), creationFor(newOwner(), set("a", "1"), add("b", 2))
	c.Labels, c.Persistent = map[string]string{"device": "laptop"}, new(true)
	p.endLater(c.ID)
	before := p.now()
	r := p.commit(token, c)
	p.wantSame(r, &store.Record{
		Token: token, ID: c.ID, Version: 1, Persistent: true, Created: r.Created, LastSeen: r.Created,
		IdleTimeout: c.IdleTimeout, Lifetime: c.Lifetime, Owner: *c.Owner, Labels: c.Labels,
		Values: store.MakeValues([]store.Value{{Name: "a", JSON: "1"}, {Name: "b", JSON: "2"}}),
	})
	// The store's clock may be that of another machine.
	const skew = 10 * time.Minute
	if off := r.Created.Time().Sub(before).Abs(); off > skew {
		p.Errorf("Created: got %v, which is %v from now", r.Created.Time(), off)
	}
}

func createLoads(p *probe) {
	c := creationFor(newOwner(), set("a", `"x"`))
	c.Labels, c.Persistent = map[string]string{"device": "laptop"}, new(true)
	p.wantUnchanged(p.create(c))
}

func createNeedsTimeouts(p *probe) {
	for _, c := range []*store.Change{
		{Created: true, ID: newID(), IdleTimeout: idleTimeout},
		{Created: true, ID: newID(), Lifetime: lifetime},
	} {
		p.endLater(c.ID)
		if _, err := p.store.Commit(p.ctx, newToken(), c); err == nil {
			p.Errorf("Commit with idle timeout %v and lifetime %v: no error", c.IdleTimeout, c.Lifetime)
		}
	}
}

func createOnTakenToken(p *probe) {
	first := p.create(creation(set("a", "1")))
	c := creation(set("a", "2"))
	p.endLater(c.ID)
	p.wantCommit(first.Token, c, store.ErrConflict)
	p.wantUnchanged(first)
}

func createWithTakenID(p *probe) {
	first := p.create(creation(set("a", "1")))
	c := creation(set("a", "2"))
	c.ID = first.ID
	token := newToken()
	p.wantCommit(token, c, store.ErrConflict)
	p.wantLoad(token, store.ErrNotFound)
	p.wantUnchanged(first)
}

func createOverExpired(p *probe) {
	first := p.createExpired(creation(set("a", "1")))
	again := creation(set("b", "2"))
	p.endLater(again.ID)
	r := p.commit(first.Token, again)
	p.wantValues(p.load(first.Token), "b", "2")
	p.wantUnchanged(r)

	second := p.createExpired(creation(set("a", "1")))
	sameID := creation(set("c", "3"))
	sameID.ID = second.ID
	p.wantUnchanged(p.create(sameID))
	p.wantLoad(second.Token, store.ErrNotFound)
}

func createWithCondition(p *probe) {
	for _, condition := range []store.Change{
		{IfVersion: 1}, {IfValue: value("a", "")}, {IfValue: value("a", "1")}, {IfValue: value("b", "1")},
	} {
		token, c := newToken(), creation(set("a", "1"))
		c.IfVersion, c.IfValue = condition.IfVersion, condition.IfValue
		p.endLater(c.ID)
		p.wantCommit(token, c, store.ErrConflict)
		p.wantLoad(token, store.ErrNotFound)
	}
}

func createAtOnce(p *probe) {
	token := newToken()
	var created atomic.Int32
	p.together(8, func(int) error {
		c := creation()
		p.endLater(c.ID)
		switch _, err := p.store.Commit(p.ctx, token, c); {
		case err == nil:
			created.Add(1)
		case !errors.Is(err, store.ErrConflict):
			return fmt.Errorf("commit with Created: got error %w, want %w", err, store.ErrConflict)
		}
		return nil
	})
	if n := created.Load(); n != 1 {
		p.Errorf("%d creations succeeded, want 1", n)
	}
}

func neverCreates(p *probe) {
	for _, c := range []*store.Change{
		{},
		{Touched: true},
		{Cleared: true},
		{Owner: new(newOwner()), IdleTimeout: idleTimeout, Lifetime: lifetime},
		{ID: newID(), IdleTimeout: idleTimeout, Lifetime: lifetime, Edits: []store.Edit{set("a", "1")}},
		{Edits: []store.Edit{add("a", 1)}},
		{RenewTo: newToken()},
		{IfValue: value("a", "")},
	} {
		token := newToken()
		p.wantCommit(token, c, store.ErrNotFound)
		p.wantLoad(token, store.ErrNotFound)
		if c.RenewTo != (store.Token{}) {
			p.wantLoad(c.RenewTo, store.ErrNotFound)
		}
	}
}
