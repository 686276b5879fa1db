package mem_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// TestHammer does everything at once, and checks the store afterwards: nothing is lost or half done, nothing deadlocks.
func TestHammer(t *testing.T) {
	clock := newClock()
	s := mem.New(&mem.Options{MaxSessions: 300, MaxBytes: 300 * 350, Now: clock.now})
	journal := newJournal(t, s)
	var workers sync.WaitGroup
	for i := range 8 {
		h := newHammer(t, s, clock, uint64(i))
		workers.Go(func() {
			for range 4000 {
				if err := h.blow(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
	if s.Len() > 300 || s.Bytes() > 300*350 {
		t.Errorf("Len() = %d, Bytes() = %d, want %d and %d at most", s.Len(), s.Bytes(), 300, 300*350)
	}
	wantConsistent(t, s)
	journal.check(s.Len())
	for o := range hammerOwners {
		if _, err := s.EndOwner(t.Context(), ownerName(o), nil, store.Revoked); err != nil {
			t.Fatal(err)
		}
	}
	if _, owners, _ := s.Footprint(); owners != 0 {
		t.Errorf("%d owners are remembered, all were ended", owners)
	}
	clock.move(time.Hour)
	sweepAll(t, s)
	journal.check(0)
	wantConsistent(t, s)
}

// TestCrossingRenewals moves two sessions between two shards in opposite directions, as fast as it can.
func TestCrossingRenewals(t *testing.T) {
	clock := newClock()
	s := mem.New(&mem.Options{Now: clock.now})
	done := make(chan error)
	for i := range 2 {
		here, there := tokenIn(s, i, i), tokenIn(s, 1-i, i)
		c := creation(i)
		c.IdleTimeout, c.Lifetime = 100*365*24*time.Hour, 100*365*24*time.Hour
		commit(t, s, here, c)
		go func() { done <- shuttle(t.Context(), s, clock, here, there) }()
	}
	for range 2 {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("no end in 30 s: a deadlock")
		}
	}
	wantConsistent(t, s)
}

// tokenIn returns a token of a shard, a different one for each n.
func tokenIn(s *mem.Store, shard, n int) store.Token {
	for n <<= 32; ; n++ {
		if t := token(n); s.ShardOf(t) == shard {
			return t
		}
	}
}

// shuttle renews a session to one token and back. It moves the clock, since a retired token can't be taken again.
func shuttle(ctx context.Context, s *mem.Store, clock *clock, here, there store.Token) error {
	for range 100_000 {
		if _, err := s.Commit(ctx, here, &store.Change{RenewTo: there}); err != nil {
			return err
		}
		clock.move(store.RetiredFor)
		here, there = there, here
	}
	return nil
}

const hammerOwners, hammerTokens, hammerPerOwner = 5, 600, 10

func ownerName(n int) string { return fmt.Sprint("owner ", n) }

// A hammer does one thing after the other with sessions that other hammers work on, too.
type hammer struct {
	s     *mem.Store
	clock *clock
	rand  *rand.Rand
	ctx   context.Context
}

func newHammer(t *testing.T, s *mem.Store, clock *clock, seed uint64) *hammer {
	return &hammer{s: s, clock: clock, rand: rand.New(rand.NewPCG(seed, 1)), ctx: t.Context()}
}

func (h *hammer) token() store.Token { return token(h.rand.IntN(hammerTokens)) }
func (h *hammer) id() store.ID       { return id(h.rand.IntN(hammerTokens)) }
func (h *hammer) owner() string      { return ownerName(h.rand.IntN(hammerOwners)) }

// blow does one thing at random. It returns an error that the work of other hammers doesn't explain.
func (h *hammer) blow() error {
	switch n := h.rand.IntN(100); {
	case n < 30:
		c := creation(h.rand.IntN(hammerTokens))
		return h.commit(c)
	case n < 40:
		return h.commit(h.login(creation(h.rand.IntN(hammerTokens))))
	case n < 55:
		return h.commit(&store.Change{RenewTo: h.token()})
	case n < 65:
		return h.commit(h.login(&store.Change{RenewTo: h.token()}))
	case n < 75:
		return h.commit(&store.Change{Touched: true, Edits: []store.Edit{{Name: "n", Op: store.Add, Delta: 1}}})
	case n < 78:
		return h.commit(give(""))
	case n < 88:
		_, err := h.s.Load(h.ctx, h.token())
		return unexpected(err)
	case n < 93:
		return h.s.End(h.ctx, h.id(), store.LoggedOut)
	case n < 95:
		return h.endOwner()
	case n < 96:
		return h.list()
	}
	h.clock.move(10 * time.Second)
	_, err := h.s.Sweep(h.ctx)
	return err
}

func (h *hammer) commit(c *store.Change) error {
	_, err := h.s.Commit(h.ctx, h.token(), c)
	return unexpected(err)
}

func (h *hammer) login(c *store.Change) *store.Change {
	owner := h.owner()
	c.Owner, c.MaxPerOwner = &owner, hammerPerOwner
	return c
}

// endOwner ends all sessions of an owner but one, and then that one.
func (h *hammer) endOwner() error {
	owner := h.owner()
	if _, err := h.s.EndOwner(h.ctx, owner, []store.ID{h.id()}, store.Revoked); err != nil {
		return err
	}
	_, err := h.s.EndOwner(h.ctx, owner, nil, store.Revoked)
	return err
}

func (h *hammer) list() error {
	seen := map[store.ID]bool{}
	for r, err := range h.s.List(h.ctx, store.Filter{Owner: h.owner()}) {
		if err != nil {
			return err
		}
		if seen[r.ID] {
			return fmt.Errorf("List yields %v twice", r.ID)
		}
		seen[r.ID] = true
	}
	if len(seen) > hammerPerOwner {
		return fmt.Errorf("an owner has %d sessions, want %d at most", len(seen), hammerPerOwner)
	}
	return nil
}

func unexpected(err error) error {
	for _, expected := range []error{store.ErrNotFound, store.ErrRetired, store.ErrConflict} {
		if errors.Is(err, expected) {
			return nil
		}
	}
	return err
}

// A journal follows the events of a store. The sessions that were created and have not ended must be those in the
// store.
type journal struct {
	*testing.T
	mu sync.Mutex
	// mu locks the remaining field.
	alive map[store.ID]bool
}

func newJournal(t *testing.T, s *mem.Store) *journal {
	j := &journal{T: t, alive: map[store.ID]bool{}}
	t.Cleanup(s.Watch(j.note))
	return j
}

func (j *journal) note(e store.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.alive[e.ID] == (e.Kind == store.Created) {
		j.Errorf("session %v is alive: %v, but now %v", e.ID, j.alive[e.ID], e.Kind)
	}
	j.alive[e.ID] = e.Kind != store.Ended
	if e.Kind == store.Ended {
		delete(j.alive, e.ID)
	}
}

func (j *journal) check(want int) {
	j.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.alive) != want {
		j.Errorf("by its events %d sessions are alive, want %d", len(j.alive), want)
	}
}
