package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/lazysession/session/store"
)

var renewRules = []rule{
	{"renew", "A renewal gives the session a new token, and leaves its ID, owner, times and values.", renew},
	{"renew-retires", "A retired token is ErrRetired for Load and for any Commit, which changes nothing.", renewRetires},
	{"renew-and-change", "A renewal and the other fields of its Change are applied in one step.", renewAndChange},
	{"renew-again", "All tokens of a session are retired except its last.", renewAgain},
	{"renew-at-once", "Of several renewals of one token at once, one succeeds and the others are ErrRetired.",
		renewAtOnce},
	{"renew-to-taken", "A renewal to the token of another record is ErrConflict, and leaves both records as they were.",
		renewToTaken},
	{"renew-ended", "A session that has ended can't be renewed.", renewEnded},
	{"renew-no-gap", "Once the old token is retired, the new one is live.", renewNoGap},
	{"renew-no-overlap", "Once the new token is live, the old one is retired.", renewNoOverlap},
	{"renewed-and-ended", "A retired token finds no record after its session has ended, either.", renewedAndEnded},
}

func renew(p *probe) {
	c := creationFor(newOwner(), set("a", "1"), set("b", `"\u0000"`))
	c.Labels, c.Persistent = map[string]string{"device": "laptop"}, new(true)
	old, to := p.create(c), newToken()
	p.nextInstant()
	p.commit(old.Token, renewal(to))
	p.wantUnchanged(after(old, func(r *store.Record) { r.Token = to }))
}

func renewRetires(p *probe) {
	old, to := p.create(creation(set("a", "1"))), newToken()
	r := p.commit(old.Token, renewal(to))
	p.nextInstant()
	p.wantLoad(old.Token, store.ErrRetired)
	for _, c := range []*store.Change{
		{}, {Touched: true}, change(set("a", "2")), {Cleared: true}, renewal(newToken()), {Owner: new(newOwner())},
		{IfValue: value("a", "2")},
	} {
		p.wantCommit(old.Token, c, store.ErrRetired)
	}
	p.wantUnchanged(r)
}

func renewAndChange(p *probe) {
	old := p.create(creation(set("a", "1"), set("b", "2")))
	c := renewal(newToken(), set("a", "3"), add("n", 1))
	c.Owner = new(newOwner())
	p.commit(old.Token, c)
	p.wantLoad(old.Token, store.ErrRetired)
	p.wantUnchanged(after(old, func(r *store.Record) {
		r.Token, r.Owner = c.RenewTo, *c.Owner
		r.Values = store.MakeValues([]store.Value{{Name: "a", JSON: "3"}, {Name: "b", JSON: "2"}, {Name: "n", JSON: "1"}})
	}))
}

func renewAgain(p *probe) {
	r := p.create(creation(set("a", "1")))
	var retired []store.Token
	for range 3 {
		retired = append(retired, r.Token)
		r = p.commit(r.Token, renewal(newToken()))
	}
	for _, token := range retired {
		p.wantLoad(token, store.ErrRetired)
	}
	p.wantUnchanged(r)
}

func renewAtOnce(p *probe) {
	for range 5 {
		old := p.create(creation(set("a", "1")))
		var won atomic.Pointer[store.Record]
		p.together(4, func(int) error {
			r, err := checked(p.store.Commit(p.ctx, old.Token, renewal(newToken(), add("renewals", 1))))
			switch {
			case err == nil && !won.CompareAndSwap(nil, r):
				return errors.New("two renewals of one token succeeded")
			case err != nil && !errors.Is(err, store.ErrRetired):
				return fmt.Errorf("renewal: got error %w, want %w", err, store.ErrRetired)
			}
			return nil
		})
		if won.Load() == nil {
			p.Fatal("none of the renewals succeeded")
		}
		p.wantValues(p.load(won.Load().Token), "a", "1", "renewals", "1")
	}
}

func renewToTaken(p *probe) {
	r, other := p.create(creation(set("a", "1"))), p.create(creation(set("b", "2")))
	p.wantCommit(r.Token, renewal(other.Token, set("a", "2")), store.ErrConflict)
	p.wantUnchanged(r)
	p.wantUnchanged(other)
}

func renewEnded(p *probe) {
	r, to := p.create(creation()), newToken()
	p.end(r.ID, store.LoggedOut)
	p.wantCommit(r.Token, renewal(to), store.ErrNotFound)
	p.wantLoad(to, store.ErrNotFound)
}

func renewNoGap(p *probe) {
	p.whileRenewing(func(from, to store.Token) error {
		switch _, err := p.store.Load(p.ctx, from); {
		case err == nil:
			return nil
		case !errors.Is(err, store.ErrRetired):
			return fmt.Errorf("the old token: got error %w, want none or %w", err, store.ErrRetired)
		}
		if _, err := p.store.Load(p.ctx, to); err != nil {
			return fmt.Errorf("the old token is retired, but the new one: %w", err)
		}
		return nil
	})
}

func renewNoOverlap(p *probe) {
	p.whileRenewing(func(from, to store.Token) error {
		switch _, err := p.store.Load(p.ctx, to); {
		case errors.Is(err, store.ErrNotFound):
			return nil
		case err != nil:
			return fmt.Errorf("the new token: got error %w, want none or %w", err, store.ErrNotFound)
		}
		if _, err := p.store.Load(p.ctx, from); !errors.Is(err, store.ErrRetired) {
			return fmt.Errorf("the new token is live, but the old one: got error %v, want %w", err, store.ErrRetired)
		}
		return nil
	})
}

// whileRenewing looks at the old and the new token, over and over, while a session is renewed from one to the other.
func (p *probe) whileRenewing(look func(from, to store.Token) error) {
	p.Helper()
	for range 20 {
		from, to := p.create(creation(set("a", "1"))).Token, newToken()
		p.whileDoing(
			func() error {
				_, err := p.store.Commit(p.ctx, from, renewal(to))
				return err
			},
			func() error { return look(from, to) })
	}
}

func renewedAndEnded(p *probe) {
	old, to := p.create(creation(set("a", "1"))), newToken()
	p.commit(old.Token, renewal(to))
	p.end(old.ID, store.LoggedOut)
	p.wantLoad(to, store.ErrNotFound)
	// The store may or may not still remember that the token was retired.
	_, err := p.store.Load(p.ctx, old.Token)
	p.wantGone("Load", err)
	_, err = p.store.Commit(p.ctx, old.Token, change(set("a", "2")))
	p.wantGone("Commit", err)
}

func (p *probe) wantGone(call string, err error) {
	p.Helper()
	if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrRetired) {
		p.Errorf("%s: got error %v, want %v or %v", call, err, store.ErrNotFound, store.ErrRetired)
	}
}
