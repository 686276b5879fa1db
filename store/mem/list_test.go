package mem_test

import (
	"testing"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// TestListWhileRenewing renews every session while the list is read: each is yielded once, wherever it moves.
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
