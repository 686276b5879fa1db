package storetest

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/lazysession/session/store"
)

var recordRules = []rule{
	{"records-stay", "A returned record never changes, whatever happens to its session.", recordsStay},
	{"changes-are-not-kept", "The caller may change a Change after Commit; the record stays as it is.", changesAreNotKept},
	{"changes-stay", "Commit leaves the Change as it was.", changesStay},
}

// copyOf returns a copy of r that shares no map with it.
func copyOf(r *store.Record) *store.Record {
	c := new(*r)
	c.Labels = maps.Clone(r.Labels)
	return c
}

func recordsStay(p *probe) {
	c := creationFor(newOwner(), set("a", "1"), set("b", "2"))
	c.Labels = map[string]string{"device": "laptop"}
	committed := p.create(c)
	loaded := p.load(committed.Token)
	was := copyOf(loaded)

	p.sleep(time.Millisecond)
	p.commit(committed.Token, everyKindOfChange())
	p.end(committed.ID, store.LoggedOut)
	p.wantSame(loaded, was)
	p.wantSame(committed, was)
}

// everyKindOfChange returns a Change to an existing record that uses each field but MaxPerOwner and the conditions.
func everyKindOfChange() *store.Change {
	c := renewal(newToken(), set("a", `"changed"`), remove("b"), add("n", 1))
	c.Touched, c.Cleared, c.Persistent = true, true, new(true)
	c.Owner, c.Labels = new(newOwner()), map[string]string{"device": "phone", "place": "home"}
	c.IdleTimeout, c.Lifetime = 2*idleTimeout, 2*lifetime
	return c
}

func changesAreNotKept(p *probe) {
	for _, c := range []*store.Change{creation(set("a", "1"), set("b", "2")), everyKindOfChange()} {
		c.Labels, c.Owner, c.Persistent = map[string]string{"device": "laptop"}, new(newOwner()), new(true)
		token := newToken()
		if c.Created {
			p.endLater(c.ID)
		} else {
			token = p.create(creation()).Token
		}
		r := p.commit(token, c)
		was := copyOf(r)

		for i := range c.Edits {
			c.Edits[i] = set("spoilt", "0")
		}
		c.Labels["device"], c.Labels["spoilt"] = "spoilt", "spoilt"
		*c.Owner, *c.Persistent = "spoilt", false
		p.wantSame(r, was)
		p.wantUnchanged(was)
	}
}

func changesStay(p *probe) {
	r := p.create(creation(set("a", "1")))
	c := everyKindOfChange()
	was := new(*c)
	was.Edits, was.Labels, was.Owner = slices.Clone(c.Edits), maps.Clone(c.Labels), new(*c.Owner)
	was.Persistent = new(*c.Persistent)
	p.commit(r.Token, c)
	if !reflect.DeepEqual(c, was) {
		p.Errorf("the Change after Commit: got %+v, want %+v", c, was)
	}
}
