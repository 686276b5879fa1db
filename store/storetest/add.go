package storetest

import (
	"errors"
	"math"
	"strconv"

	"github.com/lazysession/session/store"
)

var addRules = []rule{
	{"add", "Add adds to an integer, and counts from 0 where there is no value.", addInteger},
	{"add-exact", "Add is exact over the whole range of int64.", addExact},
	{"add-beyond", "A sum beyond int64 is ErrNotInteger, and the value stays.", addBeyond},
	{"add-not-integer", "Adding to a value that is not an integer is ErrNotInteger, and the value stays.", addNotInteger},
	{"add-names-value", "ErrNotInteger comes in an EditError that names the value.", addNamesValue},
	{"refused-whole", "A change that is refused changes nothing at all.", refusedWhole},
}

func addInteger(p *probe) {
	r := p.create(creation(set("a", "40"), set("b", "5"), add("fresh", 3)))
	p.commit(r.Token, change(add("a", 2), add("b", -6), add("c", 7), add("d", -7), add("e", 0)))
	p.wantValues(p.load(r.Token), "a", "42", "b", "-1", "c", "7", "d", "-7", "e", "0", "fresh", "3")
}

func addExact(p *probe) {
	const beyondFloat = 1<<53 + 1
	for _, sum := range []struct{ a, b, want int64 }{
		{math.MaxInt64 - 1, 1, math.MaxInt64},
		{math.MinInt64 + 1, -1, math.MinInt64},
		{math.MaxInt64, math.MinInt64, -1},
		{math.MinInt64, math.MaxInt64, -1},
		{math.MaxInt64, 0, math.MaxInt64},
		{0, math.MinInt64, math.MinInt64},
		{beyondFloat, beyondFloat + 1, 2*beyondFloat + 1},
	} {
		r := p.create(creation(add("n", sum.a)))
		p.commit(r.Token, change(add("n", sum.b)))
		p.wantValues(p.load(r.Token), "n", strconv.FormatInt(sum.want, 10))
	}
}

func addBeyond(p *probe) {
	for _, sum := range []struct{ a, b int64 }{
		{math.MaxInt64, 1}, {math.MinInt64, -1}, {math.MaxInt64, math.MaxInt64}, {math.MinInt64, math.MinInt64},
	} {
		r := p.create(creation(add("n", sum.a)))
		p.wantCommit(r.Token, change(add("n", sum.b)), store.ErrNotInteger)
		p.wantUnchanged(r)
	}
}

func addNotInteger(p *probe) {
	for _, doc := range []string{
		`"1"`, `""`, `null`, `true`, `[]`, `[1]`, `{}`, `1.0`, `-0`, `1.5`, `1e2`,
		`9223372036854775808`, `-9223372036854775809`,
	} {
		r := p.create(creation(set("n", doc)))
		if _, err := p.store.Commit(p.ctx, r.Token, change(add("n", 1))); !errors.Is(err, store.ErrNotInteger) {
			p.Errorf("adding to %s: got error %v, want %v", doc, err, store.ErrNotInteger)
		}
		p.wantUnchanged(r)
	}
}

func addNamesValue(p *probe) {
	const name = `hits of "news"/1`
	r := p.create(creation(set("a", "1"), set(name, `"x"`)))
	_, err := p.store.Commit(p.ctx, r.Token, change(add("a", 1), add(name, 1)))
	var edit *store.EditError
	if !errors.As(err, &edit) || edit.Name != name {
		p.Errorf("Commit: got error %#v, want an EditError for %q", err, name)
	}
}

func refusedWhole(p *probe) {
	taken := p.create(creation())
	owner := newOwner()
	elder := p.create(creationFor(owner))
	r := p.create(creationFor(newOwner(), set("a", "1"), set("n", `"x"`), set("z", "26")))
	everything := func() *store.Change {
		c := change(set("a", "2"), set("m", "1"), remove("z"))
		c.Touched, c.Persistent, c.Labels = true, new(true), map[string]string{"device": "phone"}
		c.Owner, c.MaxPerOwner = &owner, 1
		return c
	}
	notInteger, wrongVersion, takenToken := everything(), everything(), everything()
	notInteger.RenewTo, notInteger.Edits = newToken(), change(set("a", "2"), add("n", 1), remove("z")).Edits
	wrongVersion.RenewTo, wrongVersion.IfVersion = newToken(), r.Version+1
	takenToken.RenewTo = taken.Token

	p.wantCommit(r.Token, notInteger, store.ErrNotInteger)
	p.wantLoad(notInteger.RenewTo, store.ErrNotFound)
	p.wantCommit(r.Token, wrongVersion, store.ErrConflict)
	p.wantLoad(wrongVersion.RenewTo, store.ErrNotFound)
	p.wantCommit(r.Token, takenToken, store.ErrConflict)
	for _, untouched := range []*store.Record{r, elder, taken} {
		p.wantUnchanged(untouched)
	}
}
