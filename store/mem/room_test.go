package mem_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

func TestRoomGoesToTheIdlest(t *testing.T) {
	testEviction(t, mem.New(&mem.Options{MaxSessions: 100}))
}

func TestRoomGoesToTheIdlestWhileTheClockStands(t *testing.T) {
	testEviction(t, mem.New(&mem.Options{MaxSessions: 100, Now: newClock().now}))
	synctest.Test(t, func(t *testing.T) { testEviction(t, mem.New(&mem.Options{MaxSessions: 100})) })
}

// testEviction makes 100 sessions, uses some in another order, and makes room for others.
func testEviction(t *testing.T, s *mem.Store) {
	t.Helper()
	create(t, s, 1, 100)
	told := events(t, s)
	wantThere(t, s, 1, 1)
	commit(t, s, token(50), &store.Change{Touched: true})
	create(t, s, 101, 110)
	wantGone(t, s, 2, 11)
	for i, e := range ended(*told) {
		if want := (store.Event{Kind: store.Ended, ID: id(i + 2), Reason: store.Evicted}); e != want {
			t.Errorf("event %d: got %v, want %v", i, e, want)
		}
	}
	for n := 99; n >= 12; n-- {
		wantThere(t, s, n, n)
	}
	create(t, s, 111, 114)
	for _, n := range []int{100, 1, 101, 102} {
		wantGone(t, s, n, n)
	}
	wantThere(t, s, 50, 50)
	wantThere(t, s, 103, 114)
	if s.Len() != 100 {
		t.Errorf("Len() = %d, want 100", s.Len())
	}
	wantConsistent(t, s)
}

func ended(events []store.Event) (ended []store.Event) {
	for _, e := range events {
		if e.Kind == store.Ended {
			ended = append(ended, e)
		}
	}
	return ended
}

func TestRoomGoesToTheExpiredFirst(t *testing.T) {
	clock := newClock()
	s := mem.New(&mem.Options{MaxSessions: 10, Now: clock.now})
	create(t, s, 1, 9)
	short := creation(10)
	short.IdleTimeout = time.Minute
	commit(t, s, token(10), short)
	told := events(t, s)
	clock.move(time.Minute)
	create(t, s, 11, 11)
	want := store.Event{Kind: store.Ended, ID: id(10), Reason: store.Expired}
	if got := ended(*told); len(got) != 1 || got[0] != want {
		t.Errorf("to make room ended %v, want only %v", got, want)
	}
	wantThere(t, s, 1, 9)
}

func TestRoomForOne(t *testing.T) {
	s := mem.New(&mem.Options{MaxSessions: 1})
	create(t, s, 1, 3)
	wantGone(t, s, 1, 2)
	wantThere(t, s, 3, 3)
}

func TestRoomWithoutLimit(t *testing.T) {
	s := mem.New(&mem.Options{MaxSessions: -1})
	create(t, s, 1, 1000)
	wantThere(t, s, 1, 1000)
}

func TestRoomFreesTheOwner(t *testing.T) {
	s := mem.New(&mem.Options{MaxSessions: 10})
	for n := range 100 {
		commit(t, s, token(n), creationFor("ann", n))
	}
	wantConsistent(t, s)
	create(t, s, 100, 109)
	if _, owners, _ := s.Footprint(); owners != 0 {
		t.Errorf("%d owners are remembered, none has a session", owners)
	}
}
