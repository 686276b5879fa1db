package mem_test

import (
	"encoding/binary"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// A clock stands still until it is moved.
type clock struct{ micros atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.micros.Store(1_700_000_000_000_000)
	return c
}

func (c *clock) now() time.Time       { return time.UnixMicro(c.micros.Load()) }
func (c *clock) move(d time.Duration) { c.micros.Add(d.Microseconds()) }

// token and id return the n-th of each; nextTo of a session that was renewed.
func token(n int) store.Token {
	return store.HashToken(binary.BigEndian.AppendUint64(nil, uint64(n)))
}

func id(n int) (id store.ID) {
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

// creation is a Change that makes the n-th session.
func creation(n int) *store.Change {
	return &store.Change{Created: true, ID: id(n), IdleTimeout: 30 * time.Minute, Lifetime: 24 * time.Hour}
}

func creationFor(owner string, n int) *store.Change {
	c := creation(n)
	c.Owner = &owner
	return c
}

func commit(tb testing.TB, s *mem.Store, t store.Token, c *store.Change) *store.Record {
	tb.Helper()
	r, err := s.Commit(tb.Context(), t, c)
	if err != nil {
		tb.Fatalf("Commit: %v", err)
	}
	return r
}

// create makes the sessions from first to last.
func create(tb testing.TB, s *mem.Store, first, last int) {
	tb.Helper()
	for n := first; n <= last; n++ {
		commit(tb, s, token(n), creation(n))
	}
}

// load loads the n-th session, and reports whether it is there.
func load(tb testing.TB, s *mem.Store, n int) bool {
	tb.Helper()
	r, err := s.Load(tb.Context(), token(n))
	if err != nil {
		if !errors.Is(err, store.ErrNotFound) {
			tb.Fatalf("Load of session %d: %v", n, err)
		}
		return false
	}
	if r.ID != id(n) {
		tb.Fatalf("Load of session %d: got %v", n, r.ID)
	}
	return true
}

func wantGone(tb testing.TB, s *mem.Store, first, last int) {
	tb.Helper()
	for n := first; n <= last; n++ {
		if load(tb, s, n) {
			tb.Errorf("session %d is there, want it gone", n)
		}
	}
}

func wantThere(tb testing.TB, s *mem.Store, first, last int) {
	tb.Helper()
	for n := first; n <= last; n++ {
		if !load(tb, s, n) {
			tb.Errorf("session %d is gone, want it there", n)
		}
	}
}

func wantConsistent(tb testing.TB, s *mem.Store) {
	tb.Helper()
	if err := s.Check(); err != nil {
		tb.Errorf("the store is inconsistent: %v", err)
	}
}

// sweepAll sweeps until nothing more is due.
func sweepAll(tb testing.TB, s *mem.Store) {
	tb.Helper()
	for {
		next, err := s.Sweep(tb.Context())
		if err != nil {
			tb.Fatalf("Sweep: %v", err)
		}
		if next > 0 {
			return
		}
	}
}

// events collects what a store tells.
func events(tb testing.TB, s *mem.Store) *[]store.Event {
	var got []store.Event
	tb.Cleanup(s.Watch(func(e store.Event) { got = append(got, e) }))
	return &got
}
