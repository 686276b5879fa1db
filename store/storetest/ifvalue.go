package storetest

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/lazysession/session/store"
)

var ifValueRules = []rule{
	{"if-value", "IfValue allows a change where the record has that document, or has none and none is expected.", ifValue},
	{"if-value-conflict", "IfValue refuses a change with ErrConflict where the record has another document, none, " +
		"or one where none is expected; also a touch, and a change of nothing.", ifValueConflict},
	{"if-value-letter", "IfValue compares documents and names byte for byte.", ifValueLetter},
	{"if-value-others", "IfValue is about one name: changes of other names, before it or at once, never make it conflict.",
		ifValueOthers},
	{"if-value-at-once", "Of several changes at once that expect the same document, one succeeds.", ifValueAtOnce},
	{"if-value-swap", "A loop that loads, and commits with IfValue until it succeeds, loses nothing.", ifValueSwap},
}

func value(name, json string) *store.Value { return &store.Value{Name: name, JSON: json} }

// expecting returns a change that expects a value. An empty JSON means that it expects none.
func expecting(v *store.Value, edits ...store.Edit) *store.Change {
	c := change(edits...)
	c.IfValue = v
	return c
}

// withAndWithoutRecord calls f for both forms of a change.
func withAndWithoutRecord(c *store.Change, f func(*store.Change)) {
	for _, without := range []bool{false, true} {
		c := new(*c)
		c.NoRecord = without
		f(c)
	}
}

func ifValue(p *probe) {
	cleared := expecting(value("a", "1"), set("b", "2"))
	cleared.Cleared = true
	renewed := expecting(value("a", "1"), add("n", 1))
	renewed.RenewTo, renewed.Owner, renewed.Touched = newToken(), new(newOwner()), true
	for _, c := range []*store.Change{
		expecting(value("a", "1")),
		{IfValue: value("a", "1"), Touched: true},
		expecting(value("a", "1"), set("a", "2")),
		expecting(value("a", "1"), set("b", "2")),
		expecting(value("a", "1"), remove("a")),
		expecting(value("n", "42"), add("n", 1)),
		expecting(value("none", "")),
		expecting(value("none", ""), set("none", "1")),
		expecting(value("none", ""), add("none", 1)),
		{IfValue: value("a", "1"), IfVersion: 2, Edits: []store.Edit{set("a", "2")}},
		cleared,
	} {
		withAndWithoutRecord(c, func(c *store.Change) { p.wantApplied(c) })
	}
	p.wantApplied(renewed)
}

// wantApplied tests that a change does what Apply says to a session with the values a = 1 and n = 42, at version 2.
func (p *probe) wantApplied(c *store.Change) {
	p.Helper()
	old := p.create(creation(set("a", "1"), add("n", 40)))
	old = p.commit(old.Token, change(add("n", 2)))
	if _, err := p.store.Commit(p.ctx, old.Token, c); err != nil {
		p.Fatalf("Commit of %+v, which expects %+v: %v", c, *c.IfValue, err)
	}
	token := old.Token
	if c.Renews() {
		token = c.RenewTo
	}
	got := p.load(token)
	want, err := c.Apply(old, got.LastSeen)
	if err != nil {
		p.Fatal(err)
	}
	p.wantSame(got, want)
}

func ifValueConflict(p *probe) {
	r := p.create(creationFor(newOwner(), set("a", "1"), set("b", "2"), set("empty", `""`)))
	p.nextInstant()
	for _, expected := range []*store.Value{
		value("a", "2"), value("a", "11"), value("a", ""), value("c", "1"), value("c", "null"), value("c", `""`),
		value("empty", ""),
	} {
		everything := everyKindOfChange()
		everything.IfValue = expected
		for _, c := range []*store.Change{
			expecting(expected),
			{IfValue: expected, Touched: true},
			{IfValue: expected, IfVersion: r.Version, Cleared: true},
			expecting(expected, set(expected.Name, "3")),
			expecting(expected, remove("b")),
			everything,
		} {
			withAndWithoutRecord(c, func(c *store.Change) { p.wantCommit(r.Token, c, store.ErrConflict) })
		}
		p.wantLoad(everything.RenewTo, store.ErrNotFound)
		p.wantUnchanged(r)
	}
	p.wantCommit(r.Token, &store.Change{IfValue: value("a", "1"), IfVersion: r.Version + 1}, store.ErrConflict)
	p.wantUnchanged(r)
}

func ifValueLetter(p *probe) {
	const size = 64 << 10
	long := func(last string) string { return `"` + strings.Repeat("x", size) + last + `"` }
	for _, alike := range [][]string{
		{`1`, `1.0`, `1e0`, ` 1`, `"1"`},
		{`0`, `-0`, `0.0`, `false`, `null`, `""`},
		{`9007199254740993`, `9007199254740992`, `9007199254740993.0`},
		{`"é"`, `"\u00e9"`, `"\u00E9"`, `"e\u0301"`},
		{`"a/b"`, `"a\/b"`},
		{`"a"`, `"A"`, `"a "`, `"a\u0000"`},
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`, `{"a": 1,"b":2}`, `{"a":1,"a":1,"b":2}`},
		{`[]`, `{}`, `[null]`},
		{long("y"), long("z")},
	} {
		for _, doc := range alike {
			p.wantOnly(doc, alike)
		}
	}
	r := p.create(creation(set("a", "1"), set("x.y", "2"), set("n é", "3")))
	for _, name := range []string{"A", "a ", "x", "y", "x_y", "n e\u0301", "n\u00a0é", "{a}", "%"} {
		p.wantCommit(r.Token, expecting(value(name, "1")), store.ErrConflict)
		p.commit(r.Token, expecting(value(name, "")))
	}
	p.commit(r.Token, expecting(value("n é", "3")))
	p.commit(r.Token, expecting(value("x.y", "2")))
}

// wantOnly tests that IfValue takes doc for the record's document, and none of the others.
func (p *probe) wantOnly(doc string, others []string) {
	p.Helper()
	r := p.create(creation(set("a", doc)))
	for _, other := range others {
		_, err := p.store.Commit(p.ctx, r.Token, expecting(value("a", other)))
		what := fmt.Sprintf("Commit that expects %s of %s", brief(other), brief(doc))
		if other == doc {
			p.wantError(what, err, nil)
		} else {
			p.wantError(what, err, store.ErrConflict)
		}
	}
}

func ifValueOthers(p *probe) {
	r := p.create(creation(set("a", "1"), set("n", "0")))
	p.commit(r.Token, change(set("b", "2"), remove("a")))
	p.commit(r.Token, expecting(value("n", "0"), set("m", "1")))

	const workers, each = 4, 20
	p.together(workers, func(i int) error {
		for n := range each {
			c := change(add(fmt.Sprint("other ", i), 1))
			if i == 0 {
				c = expecting(value("n", fmt.Sprint(n)), set("n", fmt.Sprint(n+1)))
			}
			if _, err := p.store.Commit(p.ctx, r.Token, c); err != nil {
				return fmt.Errorf("commit of one name beside commits of others: %w", err)
			}
		}
		return nil
	})
	if got, _ := p.load(r.Token).Values.Get("n"); got != fmt.Sprint(each) {
		p.Errorf("value: got %s, want %d", got, each)
	}
}

func ifValueAtOnce(p *probe) {
	for _, expected := range []string{"", "0"} {
		r := p.create(creation(set("other", "1")))
		if expected != "" {
			p.commit(r.Token, change(set("n", expected)))
		}
		var next atomic.Int32
		p.oneSucceeds(r.Token, func() *store.Change {
			return expecting(value("n", expected), set("n", fmt.Sprint(next.Add(1))), add("swaps", 1))
		})
		if swaps, _ := p.load(r.Token).Values.Get("swaps"); swaps != "1" {
			p.Errorf("%s of the changes were applied, want 1", swaps)
		}
	}
}

func ifValueSwap(p *probe) {
	const workers, each = 4, 20
	r := p.create(creation(set("m", "0"), set("n", "0")))
	p.together(workers, func(int) error {
		return p.swap(r.Token, each, func(c *store.Change, _ *store.Record, doc string) {
			c.IfValue = value("n", doc)
			c.Edits = append([]store.Edit{add("m", 1)}, c.Edits...)
		})
	})
	sum := fmt.Sprint(workers * each)
	p.wantValues(p.load(r.Token), "m", sum, "n", sum)
}
