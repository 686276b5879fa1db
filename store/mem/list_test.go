package mem_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// TestListWhileRenewing renews every session while the list is read: each is yielded once, in whatever shard it is.
func TestListWhileRenewing(t *testing.T) {
	s := mem.New(nil)
	const sessions = 2000
	create(t, s, 1, sessions)
	tokens := make([]store.Token, sessions+1)
	for n := range tokens {
		tokens[n] = token(n)
	}
	seen := map[store.ID]bool{}
	for r, err := range s.List(t.Context(), store.Filter{All: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if seen[r.ID] {
			t.Fatalf("List yields %v twice", r.ID)
		}
		seen[r.ID] = true
		for range 3 {
			n := (len(seen)*7919)%sessions + 1
			next := store.HashToken(tokens[n][:])
			commit(t, s, tokens[n], &store.Change{RenewTo: next})
			tokens[n] = next
		}
	}
	if len(seen) != sessions {
		t.Errorf("List yields %d sessions, want %d", len(seen), sessions)
	}
	wantConsistent(t, s)
}

func TestListStops(t *testing.T) {
	s := mem.New(nil)
	for n := 1; n <= 1000; n++ {
		commit(t, s, token(n), creationFor("ann", n))
	}
	for _, filter := range []store.Filter{{All: true}, {Owner: "ann"}} {
		yielded := 0
		for range s.List(t.Context(), filter) {
			if yielded++; yielded == 3 {
				break
			}
		}
		if yielded != 3 {
			t.Errorf("List with %+v went on to %d after a break at 3", filter, yielded)
		}
	}
	create(t, s, 1001, 1001)
	wantConsistent(t, s)
}

// TestListUnderLoad lists while everything else happens: a session that lives all the time is in every list once.
func TestListUnderLoad(t *testing.T) {
	s := mem.New(nil)
	const lasting, workers, lists, cycles = 200, 3, 20, 300
	for n := 1; n <= lasting; n++ {
		commit(t, s, token(n), creationFor("ann", n))
	}
	var listed atomic.Bool
	var cycled atomic.Int32
	var working sync.WaitGroup
	for i := range workers {
		working.Go(func() {
			for n := 1000 * (i + 1); !listed.Load(); n++ {
				cycled.Add(1)
				commit(t, s, token(n), creationFor("ann", n))
				commit(t, s, token(n), &store.Change{RenewTo: token(-n), Owner: new("bob")})
				commit(t, s, token(n%lasting+1), &store.Change{Edits: []store.Edit{{Name: "n", Op: store.Add, Delta: 1}}})
				if err := s.End(t.Context(), id(n), store.LoggedOut); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for list := 0; list < lists || cycled.Load() < cycles; list++ {
		for _, filter := range []store.Filter{{All: true}, {Owner: "ann"}} {
			seen := map[store.ID]int{}
			for r, err := range s.List(t.Context(), filter) {
				if err != nil {
					t.Fatal(err)
				}
				seen[r.ID]++
			}
			for n := 1; n <= lasting; n++ {
				if seen[id(n)] != 1 {
					t.Errorf("List with %+v yields session %d %d times, want once", filter, n, seen[id(n)])
				}
			}
		}
	}
	listed.Store(true)
	working.Wait()
	wantConsistent(t, s)
}

// TestListShowsNoneThatHasEnded ends every other session while the list is read.
func TestListShowsNoneThatHasEnded(t *testing.T) {
	for _, filter := range []store.Filter{{All: true}, {Owner: "ann"}} {
		s := mem.New(nil)
		for n := 1; n <= 1000; n++ {
			commit(t, s, token(n), creationFor("ann", n))
		}
		yielded := 0
		for r := range s.List(t.Context(), filter) {
			yielded++
			if !load(t, s, int(r.ID[14])<<8|int(r.ID[15])) {
				t.Fatalf("List with %+v yields %v, which has ended", filter, r.ID)
			}
			if yielded == 1 {
				for n := 2; n <= 1000; n += 2 {
					if err := s.End(t.Context(), id(n), store.Revoked); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if yielded < 500 || yielded > 501 {
			t.Errorf("List with %+v yields %d, want 500 or 501", filter, yielded)
		}
	}
}
