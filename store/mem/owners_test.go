package mem_test

import (
	"testing"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// give is a Change that sets the owner of a session.
func give(owner string) *store.Change { return &store.Change{Owner: &owner} }

func wantOwned(t *testing.T, s *mem.Store, owner string, want int) {
	t.Helper()
	owned := map[store.ID]bool{}
	for r, err := range s.List(t.Context(), store.Filter{Owner: owner}) {
		if err != nil {
			t.Fatal(err)
		}
		if owned[r.ID] {
			t.Errorf("List yields %v twice", r.ID)
		}
		owned[r.ID] = true
	}
	if len(owned) != want {
		t.Errorf("%s has %d sessions, want %d", owner, len(owned), want)
	}
	wantConsistent(t, s)
}

func TestOwnerChanges(t *testing.T) {
	s := mem.New(nil)
	create(t, s, 1, 10)
	for _, owner := range []string{"ann", "ann", "bob", "ann", "", "ann", "bob"} {
		for n := 1; n <= 10; n++ {
			commit(t, s, token(n), give(owner))
		}
	}
	wantOwned(t, s, "ann", 0)
	wantOwned(t, s, "bob", 10)
	for n := 1; n <= 3; n++ { // too few for bob's hints to be checked
		commit(t, s, token(n), give("ann"))
		commit(t, s, token(n), give("bob"))
	}
	wantOwned(t, s, "bob", 10)
	for n := 1; n <= 10; n++ {
		if err := s.End(t.Context(), id(n), store.LoggedOut); err != nil {
			t.Fatal(err)
		}
		wantConsistent(t, s)
	}
	if _, owners, _ := s.Footprint(); owners != 0 {
		t.Errorf("%d owners are remembered, none has a session", owners)
	}
}

// TestOwnerTakesAnIDAgain ends a session and makes another of the same ID, before the hint of the first is checked.
func TestOwnerTakesAnIDAgain(t *testing.T) {
	s := mem.New(nil)
	for n := 1; n <= 10; n++ {
		commit(t, s, token(n), creationFor("ann", n))
	}
	if err := s.End(t.Context(), id(1), store.LoggedOut); err != nil {
		t.Fatal(err)
	}
	commit(t, s, token(11), creationFor("ann", 1))
	wantOwned(t, s, "ann", 10)
}

// TestLimitPerOwnerWhileTheClockStands ends the session that was committed first, where all have the same time.
func TestLimitPerOwnerWhileTheClockStands(t *testing.T) {
	s := mem.New(&mem.Options{Now: newClock().now})
	for n := 1; n <= 5; n++ {
		c := creationFor("ann", n)
		c.MaxPerOwner = 2
		commit(t, s, token(n), c)
	}
	wantGone(t, s, 1, 3)
	wantThere(t, s, 4, 5)
	wantOwned(t, s, "ann", 2)
}

// TestOwnerKnowsASessionWhoseWatcherPanics logs in while a watcher panics. EndOwner must still end the session, and no
// lock may stay locked.
func TestOwnerKnowsASessionWhoseWatcherPanics(t *testing.T) {
	s := mem.New(nil)
	create(t, s, 2, 3)
	cancel := s.Watch(func(store.Event) { panic("a watcher") })
	recovered(func() { s.Commit(t.Context(), token(1), creationFor("ann", 1)) })
	renewal := give("ann")
	renewal.RenewTo = token(-2)
	recovered(func() { s.Commit(t.Context(), token(2), renewal) })
	recovered(func() { s.End(t.Context(), id(3), store.LoggedOut) })
	recovered(func() { s.End(t.Context(), id(3), store.LoggedOut) })
	cancel()
	wantGone(t, s, 3, 3)
	wantOwned(t, s, "ann", 2)
	if n, err := s.EndOwner(t.Context(), "ann", nil, store.Revoked); n != 2 || err != nil {
		t.Errorf("EndOwner: got %d, %v, want 2", n, err)
	}
}

func recovered(f func()) {
	defer func() { recover() }()
	f()
}
