package mem_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

func TestExpiredIsInvisibleBeforeItIsSwept(t *testing.T) {
	clock := newClock()
	s := mem.New(&mem.Options{Now: clock.now})
	commit(t, s, token(1), creationFor("ann", 1))
	clock.move(30*time.Minute - time.Microsecond)
	wantThere(t, s, 1, 1)
	clock.move(time.Microsecond)
	wantGone(t, s, 1, 1)
	if _, err := s.Commit(t.Context(), token(1), &store.Change{Touched: true}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Commit of an expired session: got error %v, want ErrNotFound", err)
	}
	for _, filter := range []store.Filter{{All: true}, {Owner: "ann"}} {
		for r := range s.List(t.Context(), filter) {
			t.Errorf("List yields %v, which has expired", r.ID)
		}
	}
	if n, err := s.EndOwner(t.Context(), "ann", nil, store.Revoked); n != 0 || err != nil {
		t.Errorf("EndOwner of an expired session: got %d, %v, want 0", n, err)
	}
}

// TestExpiredCountsAsAbsent takes the token, the ID and, by a renewal, the token of expired sessions again.
func TestExpiredCountsAsAbsent(t *testing.T) {
	takes := map[string]func(*testing.T, *mem.Store){
		"token": func(t *testing.T, s *mem.Store) { commit(t, s, token(1), creation(2)) },
		"id":    func(t *testing.T, s *mem.Store) { commit(t, s, token(2), creation(1)) },
		"both":  func(t *testing.T, s *mem.Store) { commit(t, s, token(1), creation(1)) },
		"renewal": func(t *testing.T, s *mem.Store) {
			create(t, s, 2, 2)
			commit(t, s, token(2), &store.Change{RenewTo: token(1)})
		},
	}
	for name, take := range takes {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			s := mem.New(&mem.Options{Now: clock.now})
			commit(t, s, token(1), creationFor("ann", 1))
			clock.move(30 * time.Minute)
			told := events(t, s)
			take(t, s)
			want := store.Event{Kind: store.Ended, ID: id(1), Owner: "ann", Reason: store.Expired}
			if got := ended(*told); len(got) != 1 || got[0] != want {
				t.Errorf("ended %v, want %v", got, want)
			}
			if _, owners, _ := s.Footprint(); s.Len() != 1 || owners != 0 {
				t.Errorf("%d sessions and %d owners, want the new session alone", s.Len(), owners)
			}
			wantConsistent(t, s)
		})
	}
}

func TestSweepTellsWhenToComeAgain(t *testing.T) {
	clock := newClock()
	s := mem.New(&mem.Options{Now: clock.now})
	next := func() time.Duration {
		t.Helper()
		next, err := s.Sweep(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	check := func(when string, want time.Duration) {
		t.Helper()
		if got := next(); got != want {
			t.Errorf("%s: next = %v, want %v", when, got, want)
		}
	}
	check("empty", time.Second)
	create(t, s, 1, 3000)
	check("half an hour before", time.Second)
	clock.move(30*time.Minute - 300*time.Millisecond)
	check("300 ms before", 300*time.Millisecond)
	clock.move(299 * time.Millisecond)
	check("1 ms before", 100*time.Millisecond)
	clock.move(time.Millisecond)
	check("more than a batch is due", 0)
	if s.Len() == 3000 || s.Len() == 0 {
		t.Errorf("Len() = %d after one batch of 3000", s.Len())
	}
	sweepAll(t, s)
	check("all swept", time.Second)
	if s.Len() != 0 {
		t.Errorf("Len() = %d, want 0", s.Len())
	}
}

func TestSweepRemovesOnlyTheExpired(t *testing.T) {
	clock := newClock()
	s := mem.New(&mem.Options{Now: clock.now})
	create(t, s, 1, 1000)
	clock.move(20 * time.Minute)
	for n := 1; n <= 1000; n += 2 {
		commit(t, s, token(n), &store.Change{Touched: true})
	}
	clock.move(10 * time.Minute)
	told := events(t, s)
	sweepAll(t, s)
	for n := 1; n <= 1000; n++ {
		if got, want := load(t, s, n), n%2 == 1; got != want {
			t.Errorf("session %d: there is %v, want %v", n, got, want)
		}
	}
	if got := len(ended(*told)); got != 500 {
		t.Errorf("%d ended, want 500", got)
	}
	wantConsistent(t, s)
}

func TestRetiredIsForgotten(t *testing.T) {
	clock := newClock()
	s := mem.New(&mem.Options{Now: clock.now})
	create(t, s, 1, 100)
	for n := 1; n <= 100; n++ {
		commit(t, s, token(n), &store.Change{RenewTo: token(-n)})
	}
	clock.move(store.RetiredFor - time.Microsecond)
	if _, err := s.Load(t.Context(), token(1)); !errors.Is(err, store.ErrRetired) {
		t.Errorf("Load of the old token: got error %v, want ErrRetired", err)
	}
	clock.move(time.Microsecond)
	wantGone(t, s, 1, 100)
	if s.Len() != 100 {
		t.Errorf("Len() = %d, want the 100 renewed sessions", s.Len())
	}
	sweepAll(t, s)
	if _, _, retired := s.Footprint(); retired != 0 {
		t.Errorf("%d retired tokens are remembered, want none", retired)
	}
	wantConsistent(t, s)
}

func TestRetiredIsBounded(t *testing.T) {
	s := mem.New(&mem.Options{MaxSessions: 10, Now: newClock().now})
	create(t, s, 1, 1)
	const renewals = 50_000
	for n := 1; n < renewals; n++ {
		commit(t, s, token(n), &store.Change{RenewTo: token(n + 1)})
	}
	if _, _, retired := s.Footprint(); retired > renewals/2 {
		t.Errorf("%d retired tokens are remembered for 10 sessions", retired)
	}
	if _, err := s.Load(t.Context(), token(renewals-1)); !errors.Is(err, store.ErrRetired) {
		t.Errorf("Load of the last token replaced: got error %v, want ErrRetired", err)
	}
	wantConsistent(t, s)
}

// TestMemoryStaysBounded creates, renews and expires sessions of many owners again and again.
func TestMemoryStaysBounded(t *testing.T) {
	const sessions, cycles = 20_000, 3
	const idleSlots = 256 * 128 // what shards keep to grow from: a quarter of a megabyte
	clock := newClock()
	s := mem.New(&mem.Options{Now: clock.now})
	n, peak := 0, 0
	for range cycles {
		for range sessions {
			n++
			commit(t, s, token(n), creationFor("owner "+strconv.Itoa(n), n))
			if n%2 == 0 {
				commit(t, s, token(n), &store.Change{RenewTo: token(-n)})
			}
		}
		slots, _, _ := s.Footprint()
		if peak == 0 {
			peak = slots
		}
		if slots > peak*11/10 {
			t.Errorf("%d slots after %d sessions, %d after the first cycle", slots, n, peak)
		}
		wantConsistent(t, s)
		clock.move(30 * time.Minute)
		sweepAll(t, s)
		wantConsistent(t, s)
		if slots, owners, retired := s.Footprint(); slots > idleSlots || owners+retired > 0 {
			t.Errorf("empty, but with %d of %d slots, %d owners and %d retired tokens", slots, peak, owners, retired)
		}
	}
}
