package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/lazysession/session/store"
)

var concurrencyRules = []rule{
	{"edits-at-once", "Of changes to different names at once, none is lost.", editsAtOnce},
	{"adds-at-once", "Adds at once add up exactly, and each returns a sum of its own.", addsAtOnce},
	{"versions-at-once", "Each of many changes at once gets a version of its own.", versionsAtOnce},
	{"owners-at-once", "Sessions that swap owners at once don't hinder each other.", ownersAtOnce},
	{"everything-at-once", "All operations at once, on few sessions, return only the errors of the contract.",
		everythingAtOnce},
}

func editsAtOnce(p *probe) {
	const workers, each = 8, 15
	r := p.create(creation())
	p.together(workers, func(i int) error {
		for j := range each {
			c := change(set(fmt.Sprintf("%d/%02d", i, j), "1"), set(fmt.Sprintf("last %d", i), "2"))
			if _, err := p.store.Commit(p.ctx, r.Token, c); err != nil {
				return fmt.Errorf("commit: %w", err)
			}
		}
		return nil
	})
	if got, want := p.load(r.Token).Values.Len(), workers*each+workers; got != want {
		p.Errorf("got %d values, want %d", got, want)
	}
}

func addsAtOnce(p *probe) {
	const workers, each = 8, 20
	r := p.create(creation())
	var sums sync.Map
	p.together(workers, func(int) error {
		for range each {
			r, err := checked(p.store.Commit(p.ctx, r.Token, change(add("n", 3))))
			if err != nil {
				return fmt.Errorf("commit: %w", err)
			}
			sum, _ := r.Values.Get("n")
			if _, twice := sums.LoadOrStore(sum, true); twice {
				return fmt.Errorf("two adds returned the sum %s", sum)
			}
		}
		return nil
	})
	p.wantValues(p.load(r.Token), "n", fmt.Sprint(3*workers*each))
}

func versionsAtOnce(p *probe) {
	const workers, each = 6, 20
	r := p.create(creation())
	var versions sync.Map
	p.together(workers, func(i int) error {
		for range each {
			r, err := checked(p.store.Commit(p.ctx, r.Token, change(set(fmt.Sprint(i), "1"))))
			if err != nil {
				return fmt.Errorf("commit: %w", err)
			}
			if _, twice := versions.LoadOrStore(r.Version, true); twice {
				return fmt.Errorf("two changes returned version %d", r.Version)
			}
		}
		return nil
	})
	if got, want := p.load(r.Token).Version, uint32(1+workers*each); got != want {
		p.Errorf("version: got %d, want %d", got, want)
	}
}

func ownersAtOnce(p *probe) {
	const workers, rounds = 4, 15
	owners := [2]string{newOwner(), newOwner()}
	var rs []*store.Record
	for i := range workers {
		rs = append(rs, p.create(creationFor(owners[i%2])))
	}
	p.together(workers, func(i int) error {
		for round := range rounds {
			c := limited(renewal(newToken()), owners[(i+round+1)%2], workers)
			r, err := checked(p.store.Commit(p.ctx, rs[i].Token, c))
			if err != nil {
				return fmt.Errorf("changing the owner: %w", err)
			}
			rs[i] = r
		}
		return nil
	})
	for _, r := range rs {
		p.wantUnchanged(r)
	}
}

func everythingAtOnce(p *probe) {
	const workers, rounds = 8, 60
	m := newMelee(p, 4)
	p.together(workers, func(int) error {
		for range rounds {
			if err := m.step(); err != nil {
				return err
			}
		}
		return nil
	})
	if n := m.counted.Load(); n > 0 {
		p.wantValues(p.load(m.lasting.Token), "n", fmt.Sprint(n))
	}
}

// A melee does everything that can happen to sessions, with a few of them at once.
type melee struct {
	p       *probe
	owners  [2]string
	lasting *store.Record // is only added to
	counted atomic.Int64  // what was added
	seats   []atomic.Pointer[store.Record]
	steps   []func(seat *atomic.Pointer[store.Record]) error
}

func newMelee(p *probe, seats int) *melee {
	m := &melee{p: p, owners: [2]string{newOwner(), newOwner()}, lasting: p.create(creation())}
	m.seats = make([]atomic.Pointer[store.Record], seats)
	for i := range m.seats {
		m.seats[i].Store(p.create(creation()))
	}
	m.steps = []func(*atomic.Pointer[store.Record]) error{
		m.create, m.load, m.edit, m.touch, m.renew, m.end, m.add, m.endOwner, m.list, m.sweep, m.edit, m.touch, m.load,
	}
	return m
}

// step does one random thing with a random session.
func (m *melee) step() error {
	err := m.steps[rand.IntN(len(m.steps))](&m.seats[rand.IntN(len(m.seats))])
	for _, allowed := range []error{store.ErrNotFound, store.ErrRetired, store.ErrConflict} {
		if errors.Is(err, allowed) {
			return nil
		}
	}
	return err
}

func (m *melee) owner() string { return m.owners[rand.IntN(len(m.owners))] }

func (m *melee) create(seat *atomic.Pointer[store.Record]) error {
	r, err := m.p.tryCreate(limited(creation(set("a", "1")), m.owner(), 3))
	if err != nil {
		return fmt.Errorf("creating: %w", err)
	}
	seat.Store(r)
	return nil
}

// keep commits a change to the session at a seat, and keeps the record after it there.
func (m *melee) keep(seat *atomic.Pointer[store.Record], change *store.Change) error {
	r, err := checked(m.p.store.Commit(m.p.ctx, seat.Load().Token, change))
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	seat.Store(r)
	return nil
}

func (m *melee) load(seat *atomic.Pointer[store.Record]) error {
	want := seat.Load()
	r, err := checked(m.p.store.Load(m.p.ctx, want.Token))
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	if r.Token != want.Token || r.ID != want.ID || r.Created != want.Created {
		return errors.New("load: got another session")
	}
	for range r.Values.All() { // reads everything, for the race detector
	}
	_ = diff(r, want)
	return nil
}

func (m *melee) edit(seat *atomic.Pointer[store.Record]) error {
	c := change(set("a", fmt.Sprint(rand.Int())), add("n", 1), remove("b"))
	c.Labels = map[string]string{"device": fmt.Sprint(rand.IntN(3))}
	return m.keep(seat, c)
}

func (m *melee) touch(seat *atomic.Pointer[store.Record]) error {
	return m.keep(seat, &store.Change{Touched: true})
}

func (m *melee) renew(seat *atomic.Pointer[store.Record]) error {
	return m.keep(seat, limited(renewal(newToken()), m.owner(), 3))
}

func (m *melee) end(seat *atomic.Pointer[store.Record]) error {
	r := seat.Load()
	if err := m.p.store.End(m.p.ctx, r.ID, store.LoggedOut); err != nil {
		return fmt.Errorf("end: %w", err)
	}
	if _, err := m.p.store.Load(m.p.ctx, r.Token); err == nil {
		return errors.New("load after End: no error")
	}
	return nil
}

func (m *melee) add(*atomic.Pointer[store.Record]) error {
	if _, err := m.p.store.Commit(m.p.ctx, m.lasting.Token, change(add("n", 1))); err != nil {
		return fmt.Errorf("adding to a session that lasts: %v", err) // none of the allowed errors
	}
	m.counted.Add(1)
	return nil
}

func (m *melee) endOwner(*atomic.Pointer[store.Record]) error {
	if ender, ok := m.p.store.(store.OwnerEnder); ok {
		if _, err := ender.EndOwner(m.p.ctx, m.owner(), nil, store.Revoked); err != nil {
			return fmt.Errorf("endOwner: %w", err)
		}
	}
	return nil
}

func (m *melee) list(*atomic.Pointer[store.Record]) error {
	lister, ok := m.p.store.(store.Lister)
	if !ok {
		return nil
	}
	owner := m.owner()
	for r, err := range lister.List(m.p.ctx, store.Filter{Owner: owner}) {
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		if r.Owner != owner {
			return fmt.Errorf("list of %q: got a session of %q", owner, r.Owner)
		}
	}
	return nil
}

func (m *melee) sweep(*atomic.Pointer[store.Record]) error {
	if sweeper, ok := m.p.store.(store.Sweeper); ok {
		if _, err := sweeper.Sweep(m.p.ctx); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
	}
	return nil
}
