package storetest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/lazysession/session/store"
)

var limitRules = []rule{
	{"limit", "A login beyond MaxPerOwner ends the owner's oldest session, and no other.", limit},
	{"limit-renewal", "MaxPerOwner also counts where an existing session gets the owner.", limitRenewal},
	{"limit-spares-self", "MaxPerOwner never ends the session that commits, even if it is the oldest.", limitSparesSelf},
	{"limit-counts-once", "MaxPerOwner counts a session once if it sets the owner that it has.", limitCountsOnce},
	{"limit-lowered", "A lower MaxPerOwner than before ends all the sessions beyond it.", limitLowered},
	{"limit-others", "MaxPerOwner ends no sessions of other owners, and none where the new owner is empty.", limitOthers},
	{"limit-expired", "MaxPerOwner does not count expired sessions.", limitExpired},
	{"limit-always", "MaxPerOwner holds at every moment: once the new session is found, the one that it ended is not.",
		limitAlways},
	{"limit-exact", "MaxPerOwner is exact, however many log in at once.", limitExact},
}

// limited returns a Change that sets an owner with a limit.
func limited(c *store.Change, owner string, most int) *store.Change {
	c.Owner, c.MaxPerOwner = &owner, most
	return c
}

func limit(p *probe) {
	owner := newOwner()
	rs := p.createSome(3, owner)
	p.nextInstant()
	newest := p.create(limited(creation(), owner, 3))
	p.wantLoad(rs[0].Token, store.ErrNotFound)
	for _, r := range []*store.Record{rs[1], rs[2], newest} {
		p.wantUnchanged(r)
	}
}

func limitRenewal(p *probe) {
	owner := newOwner()
	rs := p.createSome(2, owner)
	p.nextInstant()
	guest := p.create(creation(set("cart", "[1]")))
	c := limited(renewal(newToken()), owner, 2)
	p.commit(guest.Token, c)
	p.wantLoad(rs[0].Token, store.ErrNotFound)
	p.wantUnchanged(rs[1])
	p.wantValues(p.load(c.RenewTo), "cart", "[1]")
}

func limitSparesSelf(p *probe) {
	owner := newOwner()
	guest := p.create(creation())
	rs := p.createSome(2, owner)
	guest = p.commit(guest.Token, limited(&store.Change{}, owner, 2))
	p.wantUnchanged(guest)
	p.wantLoad(rs[0].Token, store.ErrNotFound)
	p.wantUnchanged(rs[1])
}

func limitCountsOnce(p *probe) {
	owner := newOwner()
	rs := p.createSome(2, owner)
	p.commit(rs[1].Token, limited(&store.Change{}, owner, 2))
	p.wantUnchanged(rs[0])
}

func limitLowered(p *probe) {
	owner := newOwner()
	rs := p.createSome(4, owner)
	p.nextInstant()
	newest := p.create(limited(creation(), owner, 2))
	for _, r := range rs[:3] {
		p.wantLoad(r.Token, store.ErrNotFound)
	}
	p.wantUnchanged(rs[3])
	p.wantUnchanged(newest)
}

func limitOthers(p *probe) {
	nobodys := []*store.Record{p.create(creation()), p.create(creation())}
	others := p.createSome(2, newOwner())
	p.create(limited(creation(), newOwner(), 1))
	p.create(limited(creation(), "", 1))
	for _, r := range slices.Concat(nobodys, others) {
		p.wantUnchanged(r)
	}
}

func limitExpired(p *probe) {
	owner := newOwner()
	oldest := p.create(creationFor(owner))
	p.nextInstant()
	p.createExpired(creationFor(owner))
	p.create(limited(creation(), owner, 2))
	p.wantUnchanged(oldest)
}

func limitAlways(p *probe) {
	owner := newOwner()
	old := p.create(limited(creation(), owner, 1)).Token
	for i := range 60 {
		old = p.succeed(old, owner, i%2 == 0)
	}
}

// succeed replaces the only session that an owner may have by a new one, while other goroutines look for both.
func (p *probe) succeed(old store.Token, owner string, byRenewal bool) store.Token {
	p.Helper()
	login, from, to := creation(), newToken(), newToken()
	p.endLater(login.ID)
	if byRenewal {
		p.commit(from, login)
		login = renewal(to)
	} else {
		from = to
	}
	p.whileDoing(
		func() error {
			_, err := p.store.Commit(p.ctx, from, limited(login, owner, 1))
			return err
		},
		func() error {
			switch _, err := p.store.Load(p.ctx, to); {
			case errors.Is(err, store.ErrNotFound):
				return nil
			case err != nil:
				return fmt.Errorf("load of the new session: %w", err)
			}
			if _, err := p.store.Load(p.ctx, old); !errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("the new session is live, but load of the old one: got error %v, want %w", err, store.ErrNotFound)
			}
			return nil
		})
	return to
}

func limitExact(p *probe) {
	const most, workers = 3, 12
	owner := newOwner()
	tokens := make([]store.Token, workers)
	p.together(workers, func(i int) error {
		c := creation()
		if i%2 == 0 {
			c = limited(c, owner, most)
		}
		r, err := p.tryCreate(c)
		if err == nil && i%2 != 0 {
			r, err = checked(p.store.Commit(p.ctx, r.Token, limited(renewal(newToken()), owner, most)))
		}
		if err != nil {
			return fmt.Errorf("login %d: %w", i, err)
		}
		tokens[i] = r.Token
		return nil
	})
	if n := p.live(tokens); n != most {
		p.Errorf("%d sessions are left, want %d", n, most)
	}
}
