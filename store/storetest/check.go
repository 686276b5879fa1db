package storetest

import (
	"bytes"
	"context"
	"slices"

	"github.com/lazysession/session/store"
)

var checkRules = []rule{
	{"check", "CheckLive returns the IDs of live records among those that it gets, whatever their owners.", check},
	{"check-gone", "CheckLive leaves out unknown IDs and those of records that have ended.", checkGone},
	{"check-expired", "CheckLive leaves out a record that has expired, at once.", checkExpired},
	{"check-renewed", "CheckLive finds a record whose token was renewed.", checkRenewed},
	{"check-once", "CheckLive returns an ID once that it gets several times.", checkOnce},
	{"check-none", "CheckLive of no IDs returns none and no error.", checkNone},
	{"check-many", "CheckLive takes any number of IDs.", checkMany},
	{"check-borrows", "CheckLive leaves the IDs that it gets as they are, and returns none that share their memory.",
		checkBorrows},
	{"check-cancelled", "CheckLive with a cancelled context returns an error, or every live record.", checkCancelled},
	{"check-prolongs-nothing", "CheckLive is no use of a record: it prolongs nothing.", checkProlongsNothing},
}

// wantLive tests what CheckLive returns of ids.
func (p *probe) wantLive(ids []store.ID, want ...store.ID) {
	p.Helper()
	got, err := need[store.Checker](p).CheckLive(p.ctx, ids)
	if err != nil {
		p.Fatalf("CheckLive of %d IDs: %v", len(ids), err)
	}
	if !sameIDs(got, want) {
		p.Errorf("CheckLive of %d IDs: got %v, want %v", len(ids), got, want)
	}
}

// sameIDs reports whether a and b have the same IDs in some order.
func sameIDs(a, b []store.ID) bool {
	byID := func(a, b store.ID) int { return bytes.Compare(a[:], b[:]) }
	return slices.Equal(slices.SortedFunc(slices.Values(a), byID), slices.SortedFunc(slices.Values(b), byID))
}

func check(p *probe) {
	need[store.Checker](p)
	anonymous, owned, other := p.create(creation()), p.create(creationFor(newOwner())), p.create(creation())
	p.wantLive([]store.ID{owned.ID, anonymous.ID}, anonymous.ID, owned.ID)
	p.wantLive([]store.ID{other.ID}, other.ID)
}

func checkGone(p *probe) {
	need[store.Checker](p)
	live, ended := p.create(creation()), p.create(creation())
	p.end(ended.ID, store.Revoked)
	p.wantLive([]store.ID{newID(), ended.ID, live.ID, {}}, live.ID)
	p.wantLive([]store.ID{ended.ID})
}

func checkExpired(p *probe) {
	need[store.Checker](p)
	live, expired := p.create(creation()), p.createExpired(creation())
	p.wantLive([]store.ID{expired.ID, live.ID}, live.ID)
	r, created := p.createLasting(creation(), 0, short)
	p.sleepPast(short, created)
	p.wantLive([]store.ID{r.ID, live.ID}, live.ID)
}

func checkRenewed(p *probe) {
	need[store.Checker](p)
	r := p.create(creation())
	p.commit(r.Token, renewal(newToken()))
	p.wantLive([]store.ID{r.ID}, r.ID)
}

func checkOnce(p *probe) {
	need[store.Checker](p)
	r, other := p.create(creation()), p.create(creation())
	p.wantLive([]store.ID{r.ID, r.ID, other.ID, r.ID}, r.ID, other.ID)
}

func checkNone(p *probe) {
	need[store.Checker](p)
	p.create(creation())
	p.wantLive(nil)
	p.wantLive([]store.ID{})
}

// checkMany asks for more IDs than a statement of most databases takes parameters. The last one is live, and one from
// the beginning comes again at the end, so that it is in another batch.
func checkMany(p *probe) {
	need[store.Checker](p)
	const many, every = 70_000, 5000
	ids := make([]store.ID, 0, many)
	var want []store.ID
	for i := range many {
		id := newID()
		if i%every == every-1 {
			id = p.create(creation()).ID
			want = append(want, id)
		}
		ids = append(ids, id)
	}
	p.wantLive(append(ids, want[0]), want...)
}

func checkBorrows(p *probe) {
	checker := need[store.Checker](p)
	var ids []store.ID
	for _, r := range p.createSome(5, newOwner()) {
		ids = append(ids, newID(), r.ID)
	}
	slices.Reverse(ids)
	before := slices.Clone(ids)
	live, err := checker.CheckLive(p.ctx, ids)
	if err != nil {
		p.Fatalf("CheckLive: %v", err)
	}
	clear(live)
	if !slices.Equal(ids, before) {
		p.Errorf("the IDs after CheckLive, whose answer was overwritten: got %v, want %v", ids, before)
	}
}

func checkCancelled(p *probe) {
	checker := need[store.Checker](p)
	r := p.create(creation())
	ctx, cancel := context.WithCancel(p.ctx)
	cancel()
	live, err := checker.CheckLive(ctx, []store.ID{newID(), r.ID})
	if err == nil && !sameIDs(live, []store.ID{r.ID}) {
		p.Errorf("CheckLive with a cancelled context: got %v and no error, want %v", live, r.ID)
	}
	if err != nil && len(live) > 0 {
		p.Errorf("CheckLive with a cancelled context: got %v beside error %v", live, err)
	}
	p.wantLive([]store.ID{r.ID}, r.ID)
}

func checkProlongsNothing(p *probe) {
	checker := need[store.Checker](p)
	r, created := p.createLasting(creation(), 2*short, 0)
	p.sleepUntil(created.from.Add(short))
	if _, err := checker.CheckLive(p.ctx, []store.ID{r.ID}); err != nil {
		p.Fatalf("CheckLive: %v", err)
	}
	p.sleepPast(2*short, created)
	p.wantLive([]store.ID{r.ID})
	p.wantLoad(r.Token, store.ErrNotFound)
}
