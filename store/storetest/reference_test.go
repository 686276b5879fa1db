package storetest_test

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/storetest"
)

var _ interface {
	store.Store
	store.Lister
	store.Checker
	store.OwnerEnder
	store.Watcher
	store.Sweeper
	store.Pinger
} = (*reference)(nil)

func TestReference(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return newReference() })
}

// TestPlainStore runs the suite on a store without any optional ability.
func TestPlainStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return struct{ store.Store }{newReference()} })
}

// A reference is the shortest store that keeps the contract: one mutex, and Change.Apply.
type reference struct {
	store.Watchers

	mu sync.Mutex
	// mu locks the remaining fields.
	records map[store.Token]*store.Record
	tokens  map[store.ID]store.Token
	retired map[store.Token]bool
}

func newReference() *reference {
	return &reference{
		records: map[store.Token]*store.Record{},
		tokens:  map[store.ID]store.Token{},
		retired: map[store.Token]bool{},
	}
}

func now() store.Instant { return store.InstantOf(time.Now()) }

func (s *reference) Load(_ context.Context, token store.Token) (*store.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.liveLocked(token)
}

func (s *reference) liveLocked(token store.Token) (*store.Record, error) {
	if s.retired[token] {
		return nil, store.ErrRetired
	}
	if r := s.records[token]; r != nil && !r.Expired(now()) {
		return r, nil
	}
	return nil, store.ErrNotFound
}

func (s *reference) Commit(_ context.Context, token store.Token, c *store.Change) (*store.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, token := range []store.Token{token, c.RenewTo, s.tokens[c.ID]} {
		s.expireLocked(token)
	}
	if c.Created {
		return s.createLocked(token, c)
	}
	old, err := s.liveLocked(token)
	if err != nil {
		return nil, err
	}
	if !c.Allows(old) || s.takenLocked(c.RenewTo) {
		return nil, store.ErrConflict
	}
	r, err := c.Apply(old, now())
	if err != nil {
		return nil, err
	}
	delete(s.records, token)
	s.putLocked(r)
	if r.Token != token {
		s.retired[token] = true
		s.Tell(store.Event{Kind: store.Renewed, ID: r.ID, Owner: r.Owner})
	}
	s.limitLocked(r, c)
	return r, nil
}

func (s *reference) createLocked(token store.Token, c *store.Change) (*store.Record, error) {
	if _, taken := s.tokens[c.ID]; taken || s.takenLocked(token) || !c.Allows(nil) {
		return nil, store.ErrConflict
	}
	r, err := c.New(token, now())
	if err != nil {
		return nil, err
	}
	s.putLocked(r)
	s.Tell(store.Event{Kind: store.Created, ID: r.ID, Owner: r.Owner})
	s.limitLocked(r, c)
	return r, nil
}

// expireLocked ends an expired session of a token, since it counts as absent.
func (s *reference) expireLocked(token store.Token) {
	if r := s.records[token]; r != nil && r.Expired(now()) {
		s.endLocked(r, store.Expired)
	}
}

func (s *reference) takenLocked(token store.Token) bool {
	return s.records[token] != nil || s.retired[token]
}

func (s *reference) putLocked(r *store.Record) {
	s.records[r.Token] = r
	s.tokens[r.ID] = r.Token
}

// limitLocked ends the sessions that are too many with r.
func (s *reference) limitLocked(r *store.Record, c *store.Change) {
	if c.Owner == nil || r.Owner == "" || c.MaxPerOwner == 0 {
		return
	}
	others := s.ofLocked(r.Owner)
	others = slices.DeleteFunc(others, func(other *store.Record) bool { return other == r })
	slices.SortFunc(others, func(a, b *store.Record) int { return cmp.Compare(a.Created, b.Created) })
	for _, old := range others[:max(0, len(others)-(c.MaxPerOwner-1))] {
		s.endLocked(old, store.Evicted)
	}
}

// ofLocked returns the live records of an owner.
func (s *reference) ofLocked(owner string) []*store.Record {
	var rs []*store.Record
	for _, r := range s.records {
		if r.Owner == owner && !r.Expired(now()) {
			rs = append(rs, r)
		}
	}
	return rs
}

func (s *reference) End(_ context.Context, id store.ID, why store.Reason) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.records[s.tokens[id]]; r != nil {
		s.endLocked(r, why)
	}
	return nil
}

func (s *reference) endLocked(r *store.Record, why store.Reason) {
	delete(s.records, r.Token)
	delete(s.tokens, r.ID)
	s.Tell(store.Event{Kind: store.Ended, ID: r.ID, Owner: r.Owner, Reason: why})
}

func (s *reference) EndOwner(
	_ context.Context, owner string, except []store.ID, why store.Reason,
) (int, error) {
	if owner == "" {
		return 0, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.ofLocked(owner) {
		if !slices.Contains(except, r.ID) {
			s.endLocked(r, why)
			n++
		}
	}
	return n, nil
}

func (s *reference) List(ctx context.Context, filter store.Filter) iter.Seq2[*store.Record, error] {
	return func(yield func(*store.Record, error) bool) {
		for _, r := range s.snapshot() {
			if ctx.Err() != nil {
				yield(nil, ctx.Err())
				return
			}
			if !r.Expired(now()) && filter.Matches(r) && !yield(r, nil) {
				return
			}
		}
	}
}

func (s *reference) snapshot() []*store.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rs []*store.Record
	for _, r := range s.records {
		rs = append(rs, r)
	}
	return rs
}

func (s *reference) Sweep(context.Context) (time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.records {
		if r.Expired(now()) {
			s.endLocked(r, store.Expired)
			return 0, nil
		}
	}
	return time.Second, nil
}

func (s *reference) Ping(ctx context.Context) error { return ctx.Err() }
