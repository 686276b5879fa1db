package mem_test

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

func TestEvictsTheIdlest(t *testing.T) {
	testEviction(t, mem.New(&mem.Options{MaxSessions: 100}))
}

func TestEvictsTheIdlestWhileTheClockStands(t *testing.T) {
	testEviction(t, mem.New(&mem.Options{MaxSessions: 100, Now: newClock().now}))
	synctest.Test(t, func(t *testing.T) { testEviction(t, mem.New(&mem.Options{MaxSessions: 100})) })
}

// testEviction makes 100 sessions, uses some in another order, and makes others, which evict.
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

func TestEndsTheExpiredFirst(t *testing.T) {
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
		t.Errorf("a new session ended %v, want only %v", got, want)
	}
	wantThere(t, s, 1, 9)
}

func TestLimitOfOne(t *testing.T) {
	s := mem.New(&mem.Options{MaxSessions: 1})
	create(t, s, 1, 3)
	wantGone(t, s, 1, 2)
	wantThere(t, s, 3, 3)
}

// TestLimitsAreNeverExceeded makes sessions from many goroutines in a full store, while another goroutine looks.
func TestLimitsAreNeverExceeded(t *testing.T) {
	const most, mostBytes = 8, 8 * 300
	t.Run("sessions", func(t *testing.T) {
		s := mem.New(&mem.Options{MaxSessions: most})
		lookWhileFull(t, s, func() string {
			if n := s.Len(); n > most {
				return fmt.Sprintf("there are %d sessions, want %d at most", n, most)
			}
			return ""
		})
	})
	t.Run("bytes", func(t *testing.T) {
		s := mem.New(&mem.Options{MaxBytes: mostBytes})
		lookWhileFull(t, s, func() string {
			if bytes := s.Bytes(); bytes > mostBytes {
				return fmt.Sprintf("there are %d bytes, want %d at most", bytes, mostBytes)
			}
			return ""
		})
	})
}

// lookWhileFull fails if look finds something wrong while sessions are made and grow.
func lookWhileFull(t *testing.T, s *mem.Store, look func() (wrong string)) {
	t.Helper()
	const workers, each = 4, 400
	stop := make(chan struct{})
	var looking, working sync.WaitGroup
	looking.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if wrong := look(); wrong != "" {
				t.Error(wrong)
				return
			}
			runtime.Gosched()
		}
	})
	for i := range workers {
		working.Go(func() {
			for n := i * each; n < (i+1)*each; n++ {
				commit(t, s, token(n), creation(n))
				if n%4 == 0 {
					s.Commit(t.Context(), token(n), setText(100)) // another may have evicted it
				}
			}
		})
	}
	working.Wait()
	close(stop)
	looking.Wait()
	wantConsistent(t, s)
}

// TestLimitOfOneIsNeverExceeded looks for both of two sessions while one replaces the other.
func TestLimitOfOneIsNeverExceeded(t *testing.T) {
	for name, o := range map[string]*mem.Options{"sessions": {MaxSessions: 1}, "bytes": {MaxBytes: 300}} {
		s := mem.New(o)
		create(t, s, 0, 0)
		for n := 1; n <= 300; n++ {
			var working sync.WaitGroup
			working.Go(func() { commit(t, s, token(n), creation(n)) })
			for there := false; !there; runtime.Gosched() {
				if there = load(t, s, n); there && load(t, s, n-1) {
					t.Fatalf("the limit of %s allows one, but both %d and %d are there", name, n-1, n)
				}
			}
			working.Wait()
		}
	}
}

// TestRefusedChangesEvictNothing tries changes that a full store has to refuse.
func TestRefusedChangesEvictNothing(t *testing.T) {
	s := mem.New(&mem.Options{MaxSessions: 3, MaxBytes: 3 * 300})
	create(t, s, 1, 3)
	commit(t, s, token(1), &store.Change{Edits: []store.Edit{{Name: "word", JSON: `"x"`}}})
	commit(t, s, token(3), &store.Change{RenewTo: token(-3)})
	told := events(t, s)
	refuse := func(n int, c *store.Change) {
		t.Helper()
		if _, err := s.Commit(t.Context(), token(n), c); err == nil {
			t.Errorf("%.200v: got no error", fmt.Sprintf("%+v", c))
		}
	}
	refuse(1, creation(4))
	refuse(3, creation(4))
	refuse(4, creation(2))
	refuse(4, &store.Change{Created: true, ID: id(4)})
	conditional := creation(4)
	conditional.IfVersion = 1
	refuse(4, conditional)
	for _, c := range []*store.Change{
		{IfVersion: 7}, {IfValue: &store.Value{Name: "a", JSON: "1"}}, {RenewTo: token(2)},
	} {
		c.Edits = setText(10_000).Edits
		refuse(1, c)
	}
	refuse(1, &store.Change{Edits: append(setText(10_000).Edits, store.Edit{Name: "word", Op: store.Add, Delta: 1})})
	refuse(5, setText(10_000))
	wantEvicted(t, *told)
	wantThere(t, s, 1, 2)
	wantConsistent(t, s)
}

// TestEvictsNoMoreThanItCreates makes sessions at once in a full store: as many old ones have to end.
func TestEvictsNoMoreThanItCreates(t *testing.T) {
	const workers = 8
	for name, tt := range map[string]struct {
		token func(worker int) store.Token
		want  int // how many are created
	}{
		"each its own token":  {token, workers},
		"all under one token": {func(int) store.Token { return token(0) }, 1},
	} {
		for range 100 {
			s := mem.New(&mem.Options{MaxSessions: 100})
			create(t, s, 100, 199)
			var created, evicted atomic.Int32
			s.Watch(func(e store.Event) {
				if e.Kind == store.Created {
					created.Add(1)
				} else {
					evicted.Add(1)
				}
			})
			start := make(chan struct{})
			var working sync.WaitGroup
			for i := range workers {
				working.Go(func() {
					<-start
					if _, err := s.Commit(t.Context(), tt.token(i), creation(i)); unexpected(err) != nil {
						t.Error(err)
					}
				})
			}
			close(start)
			working.Wait()
			if c, e := int(created.Load()), int(evicted.Load()); c != tt.want || e != tt.want || s.Len() != 100 {
				t.Fatalf("%s: %d created, %d evicted and %d there, want %d, %d and 100", name, c, e, s.Len(), tt.want, tt.want)
			}
			wantConsistent(t, s)
		}
	}
}

func TestLargestLimits(t *testing.T) {
	s := mem.New(&mem.Options{MaxSessions: math.MaxInt, MaxBytes: math.MaxInt64})
	create(t, s, 1, 1000)
	commit(t, s, token(1), setText(1<<20))
	wantThere(t, s, 1, 1000)
}

func TestNewPanicsOnNegativeLimits(t *testing.T) {
	for _, tt := range []struct {
		options mem.Options
		want    string
	}{
		{mem.Options{MaxSessions: -1}, "mem: MaxSessions is -1: want 0 for the default, or more"},
		{mem.Options{MaxBytes: -5}, "mem: MaxBytes is -5: want 0 for the default, or more"},
		{
			mem.Options{MaxSessions: -7, MaxBytes: -5},
			"mem: MaxSessions is -7: want 0 for the default, or more\nmem: MaxBytes is -5: want 0 for the default, or more",
		},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); got != tt.want {
					t.Errorf("%+v: the panic is %q, want %q", tt.options, got, tt.want)
				}
			}()
			mem.New(&tt.options)
		}()
	}
}

func TestNewCopiesItsOptions(t *testing.T) {
	o := &mem.Options{MaxSessions: 10, MaxBytes: 10_000}
	s := mem.New(o)
	*o = mem.Options{}
	if sessions, bytes := s.Limits(); sessions != 10 || bytes != 10_000 {
		t.Errorf("the limits are %d sessions and %d bytes, want 10 and 10000", sessions, bytes)
	}
}

func TestEvictionFreesTheOwner(t *testing.T) {
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
