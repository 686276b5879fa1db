package storetest

import (
	"time"

	"github.com/lazysession/session/store"
)

var editRules = []rule{
	{"set", "Set makes a value or replaces it, and leaves the others.", setValue},
	{"delete", "Delete removes a value and leaves the others; deleting a missing value is no error.", deleteValue},
	{"clear", "Cleared removes all values, keeps the session, and comes before Edits.", clearValues},
	{"labels", "Labels are set, or removed by an empty text; all other labels stay.", labels},
	{"attributes", "Persistent, the timeouts and the owner change where a Change sets them, and stay otherwise.",
		attributes},
	{"returns-after", "Commit returns the record that Load returns after the change.", returnsAfter},
	{"change-nothing", "The zero Change returns the record as it is.", changeNothing},
}

func setValue(p *probe) {
	r := p.create(creation(set("a", "1"), set("b", "2"), set("c", "3")))
	p.commit(r.Token, change(set("aa", "4"), set("b", `"new"`)))
	p.wantValues(p.load(r.Token), "a", "1", "b", `"new"`, "c", "3", "aa", "4")
}

func deleteValue(p *probe) {
	r := p.create(creation(set("a", "1"), set("b", "2"), set("c", "3")))
	p.commit(r.Token, change(remove("b"), remove("nothing")))
	p.wantValues(p.load(r.Token), "a", "1", "c", "3")
	p.commit(r.Token, change(remove("a"), remove("c")))
	p.wantValues(p.load(r.Token))
}

func clearValues(p *probe) {
	r := p.create(creation(set("a", "1"), set("b", "2"), set("n", "7")))
	p.commit(r.Token, &store.Change{Cleared: true, Edits: []store.Edit{set("b", "3"), remove("c"), add("n", 1)}})
	p.wantValues(p.load(r.Token), "b", "3", "n", "1")
	p.commit(r.Token, &store.Change{Cleared: true})
	p.wantValues(p.load(r.Token))
}

func labels(p *probe) {
	c := creation()
	c.Labels = map[string]string{"kept": "as it was", "new": "old", "gone": "x", "never": ""}
	want := p.create(c)
	r := p.commit(want.Token, &store.Change{
		Labels: map[string]string{"new": `"new" \ 日本 {}`, "gone": "", "nothing": ""},
	})
	want = after(want, func(r *store.Record) {
		r.Labels = map[string]string{"kept": "as it was", "new": `"new" \ 日本 {}`}
	})
	p.wantSame(r, want)
	p.wantUnchanged(want)
}

func attributes(p *probe) {
	r := p.create(creationFor(newOwner(), set("a", "1")))
	owner := newOwner()
	for _, step := range []struct {
		change store.Change
		want   func(*store.Record)
	}{
		{store.Change{Persistent: new(true)}, func(r *store.Record) { r.Persistent = true }},
		{store.Change{IdleTimeout: 90 * time.Minute}, func(r *store.Record) { r.IdleTimeout = 90 * time.Minute }},
		{store.Change{Lifetime: 1500 * time.Hour}, func(r *store.Record) { r.Lifetime = 1500 * time.Hour }},
		{store.Change{Owner: &owner}, func(r *store.Record) { r.Owner = owner }},
		{store.Change{Persistent: new(false)}, func(r *store.Record) { r.Persistent = false }},
		{store.Change{Owner: new("")}, func(r *store.Record) { r.Owner = "" }},
		{store.Change{Edits: []store.Edit{remove("a")}}, func(r *store.Record) { r.Values = store.Values{} }},
	} {
		r = after(r, step.want)
		got := p.commit(r.Token, &step.change)
		if step.change.IdleTimeout != 0 {
			r.LastSeen = got.LastSeen
		}
		p.wantUnchanged(r)
	}
}

// after returns the next version of a record, with a change.
func after(r *store.Record, change func(*store.Record)) *store.Record {
	next := new(*r)
	next.Version++
	change(next)
	return next
}

func returnsAfter(p *probe) {
	r := p.create(creation(set("a", "1"), set("b", "2")))
	for _, c := range []*store.Change{
		change(set("a", "2"), remove("b"), add("n", 1)),
		{Touched: true},
		{Labels: map[string]string{"device": "phone"}, Owner: new(newOwner()), Persistent: new(true)},
		{RenewTo: newToken(), Touched: true, Edits: []store.Edit{add("n", 2)}},
	} {
		r = p.commit(r.Token, c)
		p.wantUnchanged(r)
	}
}

func changeNothing(p *probe) {
	r := p.create(creationFor(newOwner(), set("a", "1")))
	p.wantSame(p.commit(r.Token, &store.Change{}), r)
	p.wantUnchanged(r)
}
