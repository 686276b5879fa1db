package storetest

import (
	"context"
	"slices"

	"github.com/lazysession/session/store"
)

var listRules = []rule{
	{"list", "List of all yields every live record once, as Load returns it, whatever its owner.", list},
	{"list-nobody", "List with the zero Filter yields nothing.", listNobody},
	{"list-owner", "List with an owner yields that owner's sessions and no others.", listOwner},
	{"list-moved", "List finds a session by its present owner, not by an earlier one.", listMoved},
	{"list-ended", "List yields nothing that has ended.", listEnded},
	{"list-break", "The loop over a List may break, and the store works on.", listBreak},
	{"list-and-change", "The loop over a List may use the store, and may even end the sessions that it gets.",
		listAndChange},
	{"list-cancelled", "A List ends with its context; after an error nothing follows.", listCancelled},
}

// list returns the records that List yields, by ID, and fails on a record that comes twice.
func (p *probe) list(l store.Lister, filter store.Filter) map[store.ID]*store.Record {
	p.Helper()
	records := map[store.ID]*store.Record{}
	for r, err := range l.List(p.ctx, filter) {
		if r, err = checked(r, err); err != nil {
			p.Fatalf("List: %v", err)
		}
		if records[r.ID] != nil {
			p.Errorf("List: got session %v twice", r.ID)
		}
		records[r.ID] = r
	}
	return records
}

func list(p *probe) {
	lister := need[store.Lister](p)
	var want []*store.Record
	for i := range 300 {
		c := creation(set("a", "1"))
		if i%2 == 0 {
			c.Owner = new(newOwner())
		}
		c.Labels = map[string]string{"device": "laptop"}
		want = append(want, p.create(c))
	}
	for _, filter := range []store.Filter{{All: true}, {All: true, Owner: newOwner()}} {
		got := p.list(lister, filter)
		for _, r := range want {
			if got[r.ID] == nil {
				p.Fatalf("List with %+v: session %v is missing", filter, r.ID)
			}
			p.wantSame(got[r.ID], r)
		}
	}
}

func listNobody(p *probe) {
	lister := need[store.Lister](p)
	p.create(creation())
	p.create(creationFor(newOwner()))
	if n := len(p.list(lister, store.Filter{})); n != 0 {
		p.Errorf("List with the zero Filter: got %d sessions, want none", n)
	}
}

func listOwner(p *probe) {
	lister, owner := need[store.Lister](p), newOwner()
	p.create(creation())
	p.create(creationFor(newOwner()))
	p.create(creationFor(owner + "x"))
	p.wantList(lister, owner, p.createSome(3, owner)...)
	p.wantList(lister, newOwner())
}

// wantList tests which sessions of an owner List yields.
func (p *probe) wantList(l store.Lister, owner string, want ...*store.Record) {
	p.Helper()
	got := p.list(l, store.Filter{Owner: owner})
	if len(got) != len(want) {
		p.Errorf("List of an owner: got %d sessions, want %d", len(got), len(want))
	}
	for _, r := range want {
		if got[r.ID] == nil {
			p.Errorf("List of an owner: session %v is missing", r.ID)
		} else {
			p.wantSame(got[r.ID], r)
		}
	}
}

func listMoved(p *probe) {
	lister, first, second := need[store.Lister](p), newOwner(), newOwner()
	r := p.create(creationFor(first))
	r = p.commit(r.Token, &store.Change{Owner: &second})
	p.wantList(lister, first)
	p.wantList(lister, second, r)
	r = p.commit(r.Token, renewalFor(first))
	p.wantList(lister, first, r)
	p.wantList(lister, second)
	p.commit(r.Token, &store.Change{Owner: new("")})
	p.wantList(lister, first)
}

func listEnded(p *probe) {
	lister, owner := need[store.Lister](p), newOwner()
	rs := p.createSome(2, owner)
	p.end(rs[0].ID, store.LoggedOut)
	p.wantList(lister, owner, rs[1])
	if p.list(lister, store.Filter{All: true})[rs[0].ID] != nil {
		p.Error("List: got a session that has ended")
	}
}

func listBreak(p *probe) {
	lister, owner := need[store.Lister](p), newOwner()
	rs := p.createSome(3, owner)
	for range 20 { // more often than a pool has connections
		for _, err := range lister.List(p.ctx, store.Filter{Owner: owner}) {
			if err != nil {
				p.Fatalf("List: %v", err)
			}
			break
		}
	}
	p.commit(rs[0].Token, change(set("a", "1")))
	p.end(rs[1].ID, store.LoggedOut)
}

func listAndChange(p *probe) {
	lister, owner := need[store.Lister](p), newOwner()
	rs := p.createSome(5, owner)
	for r, err := range lister.List(p.ctx, store.Filter{Owner: owner}) {
		if err != nil {
			p.Fatalf("List: %v", err)
		}
		p.load(r.Token)
		p.commit(r.Token, change(set("a", "1")))
		p.end(r.ID, store.Revoked)
	}
	for _, r := range rs {
		p.wantLoad(r.Token, store.ErrNotFound)
	}
}

func listCancelled(p *probe) {
	lister, owner := need[store.Lister](p), newOwner()
	p.createSome(5, owner)
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	var errs []error
	for r, err := range lister.List(ctx, store.Filter{Owner: owner}) {
		cancel()
		if r == nil && err == nil {
			p.Fatal("List: got no record and no error")
		}
		errs = append(errs, err)
	}
	if i := slices.IndexFunc(errs, isError); i >= 0 && i < len(errs)-1 {
		p.Errorf("List went on after an error: %v", errs[i])
	}
	// The cancelled List holds nothing, such as a connection, that the next call would need.
	p.list(lister, store.Filter{Owner: owner})
}

func isError(err error) bool { return err != nil }
