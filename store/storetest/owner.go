package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/lazysession/session/store"
)

var ownerRules = []rule{
	{"owners", "An owner may be any text, and is found by exactly that text.", owners},
	{"end-owner", "EndOwner ends all sessions of an owner except those in except, and counts them.", endOwner},
	{"end-owner-others", "EndOwner leaves the sessions of other owners, and those without an owner.", endOwnerOthers},
	{"end-nobody", "The empty owner has no sessions: EndOwner of it ends none.", endNobody},
	{"end-owner-moved", "A session that has changed its owner ends with the new one, not with the old one.",
		endOwnerMoved},
	{"end-owner-expired", "EndOwner does not count expired sessions.", endOwnerExpired},
	{"end-owner-wins", "EndOwner beside logins is one step: it ends and counts each login that returned before a " +
		"session of the owner was gone, and none that began after one was gone.", endOwnerWins},
}

func owners(p *probe) {
	ender := need[store.OwnerEnder](p)
	suffix := newOwner()
	sessions := map[string]*store.Record{}
	for _, kind := range []string{
		"", "A", "a", "a ", "{a}", "a*", "%", "_", `"`, "'", `\`, ":", "/", "\n", "😀", "é", "e\u0301", "日本",
	} {
		owner := kind + suffix
		sessions[owner] = p.create(creationFor(owner))
	}
	for owner, r := range sessions {
		if got := p.load(r.Token).Owner; got != owner {
			p.Errorf("owner: got %q, want %q", got, owner)
		}
		p.wantEndOwner(ender, owner, nil, 1)
	}
}

// wantEndOwner tests how many sessions EndOwner says that it ended.
func (p *probe) wantEndOwner(ender store.OwnerEnder, owner string, except []store.ID, want int) {
	p.Helper()
	n, err := ender.EndOwner(p.ctx, owner, except, store.Revoked)
	if err != nil {
		p.Fatalf("EndOwner: %v", err)
	}
	if n != want {
		p.Errorf("EndOwner of %q: ended %d, want %d", owner, n, want)
	}
}

// createSome makes n sessions of an owner, each with a later time than the one before.
func (p *probe) createSome(n int, owner string) []*store.Record {
	p.Helper()
	var rs []*store.Record
	for range n {
		p.nextInstant()
		rs = append(rs, p.create(creationFor(owner)))
	}
	return rs
}

func endOwner(p *probe) {
	ender, owner := need[store.OwnerEnder](p), newOwner()
	rs := p.createSome(5, owner)
	p.wantEndOwner(ender, owner, []store.ID{rs[1].ID, newID(), rs[3].ID}, 3)
	for i, r := range rs {
		if i == 1 || i == 3 {
			p.wantUnchanged(r)
		} else {
			p.wantLoad(r.Token, store.ErrNotFound)
			p.wantCommit(r.Token, change(set("a", "1")), store.ErrNotFound)
		}
	}
	p.wantEndOwner(ender, owner, nil, 2)
	p.wantEndOwner(ender, owner, nil, 0)
}

func endOwnerOthers(p *probe) {
	ender, owner := need[store.OwnerEnder](p), newOwner()
	p.create(creationFor(owner))
	others := []*store.Record{p.create(creationFor(newOwner())), p.create(creationFor(owner + "x")), p.create(creation())}
	p.wantEndOwner(ender, owner, nil, 1)
	for _, r := range others {
		p.wantUnchanged(r)
	}
}

func endNobody(p *probe) {
	ender := need[store.OwnerEnder](p)
	r := p.create(creation())
	p.wantEndOwner(ender, "", nil, 0)
	p.wantUnchanged(r)
}

func endOwnerMoved(p *probe) {
	ender, first, second := need[store.OwnerEnder](p), newOwner(), newOwner()
	r := p.create(creationFor(first))
	r = p.commit(r.Token, &store.Change{Owner: &second})
	p.wantEndOwner(ender, first, nil, 0)
	p.wantUnchanged(r)
	p.wantEndOwner(ender, second, nil, 1)
	p.wantLoad(r.Token, store.ErrNotFound)
}

func endOwnerExpired(p *probe) {
	ender, owner := need[store.OwnerEnder](p), newOwner()
	p.create(creationFor(owner))
	p.createExpired(creationFor(owner))
	p.wantEndOwner(ender, owner, nil, 1)
}

func endOwnerWins(p *probe) {
	ender := need[store.OwnerEnder](p)
	for range 15 {
		owner := newOwner()
		l := &logins{p: p, owner: owner, canary: p.create(creationFor(owner)).Token}
		p.together(4, func(i int) error {
			if i > 0 {
				return l.work()
			}
			return l.endOwner(ender)
		})
		if n := p.live(l.before); n > 0 {
			p.Errorf("%d of %d sessions live that EndOwner had to end", n, len(l.before))
		}
		if n := p.live(l.after); n < len(l.after) {
			p.Errorf("%d of %d sessions live that EndOwner had to leave", n, len(l.after))
		}
		l.endRest(ender)
	}
}

// logins are sessions that get an owner while EndOwner is called.
//
// The canary is one more session of the owner. It shows when EndOwner does its work: a login that returns while the
// canary lives came before it, and a login that begins when the canary is gone comes after it.
type logins struct {
	p      *probe
	owner  string
	canary store.Token

	count        atomic.Int32
	began, ended atomic.Bool // of EndOwner
	counted      int         // how many sessions EndOwner says that it ended

	mu sync.Mutex
	// mu locks the remaining fields.
	all    []store.Token
	before []store.Token // of logins that EndOwner has to end
	after  []store.Token // of logins that EndOwner has to leave
}

// work logs in until EndOwner has returned, and twice more.
func (l *logins) work() error {
	for left := 2; left > 0; {
		if l.ended.Load() {
			left--
		}
		gone, err := l.canaryGone()
		if err != nil {
			return err
		}
		token, err := l.login()
		if err != nil {
			return fmt.Errorf("login beside EndOwner: %w", err)
		}
		before := !l.began.Load()
		goneNow, err := l.canaryGone()
		if err != nil {
			return err
		}
		l.note(token, before || !goneNow, gone)
	}
	return nil
}

// canaryGone commits to the canary, and reports whether it is gone. In a store that locks what it changes, EndOwner has
// to wait for that commit.
func (l *logins) canaryGone() (bool, error) {
	_, err := l.p.store.Commit(l.p.ctx, l.canary, &store.Change{Touched: true})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, fmt.Errorf("commit beside EndOwner: %w", err)
	}
	return err != nil, nil
}

// login makes a session, and gives it the owner at once or by a second change.
func (l *logins) login() (store.Token, error) {
	c := creation()
	if l.count.Add(1)%2 == 0 {
		c.Owner = &l.owner
	}
	r, err := l.p.tryCreate(c)
	if err == nil && c.Owner == nil {
		r, err = checked(l.p.store.Commit(l.p.ctx, r.Token, renewalFor(l.owner)))
	}
	if err != nil {
		return store.Token{}, err
	}
	return r.Token, nil
}

func renewalFor(owner string) *store.Change { return &store.Change{RenewTo: newToken(), Owner: &owner} }

func (l *logins) note(token store.Token, before, after bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, token)
	if before {
		l.before = append(l.before, token)
	}
	if after {
		l.after = append(l.after, token)
	}
}

// endOwner calls EndOwner after some logins.
func (l *logins) endOwner(ender store.OwnerEnder) (err error) {
	defer l.ended.Store(true)
	for l.count.Load() < 10 && l.p.ctx.Err() == nil {
		if _, err := l.p.store.Load(l.p.ctx, newToken()); !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	l.began.Store(true)
	l.counted, err = ender.EndOwner(l.p.ctx, l.owner, nil, store.Revoked)
	return err
}

// endRest tests that each session was either counted as ended or is live, and that a second EndOwner ends all that are
// live.
func (l *logins) endRest(ender store.OwnerEnder) {
	l.p.Helper()
	rest := l.p.live(l.all)
	if logins := len(l.all) + 1; l.counted+rest != logins { // with the canary
		l.p.Errorf("of %d sessions EndOwner counted %d, and %d live", logins, l.counted, rest)
	}
	l.p.wantEndOwner(ender, l.owner, nil, rest)
	if n := l.p.live(l.all); n > 0 {
		l.p.Errorf("%d sessions live after a second EndOwner", n)
	}
}
