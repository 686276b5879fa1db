package mem_test

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// text returns a document of n bytes.
func text(n int) string { return `"` + strings.Repeat("x", n-2) + `"` }

func setText(n int) *store.Change {
	return &store.Change{Edits: []store.Edit{{Name: "text", JSON: text(n)}}}
}

// labelled is a Change that makes the n-th session with a number of labels.
func labelled(n, labels int) *store.Change {
	c := creation(n)
	c.Labels = map[string]string{}
	for i := range labels {
		c.Labels[fmt.Sprintf("label %02d", i)] = fmt.Sprintf("text %d of %d", i, n)
	}
	return c
}

// TestBytesAreNoFewerThanTheHeap compares Bytes with the heap that several kinds of sessions take.
func TestBytesAreNoFewerThanTheHeap(t *testing.T) {
	const sessions = 10_000
	for kind, change := range map[string]func(int) *store.Change{
		"bare":         creation,
		"three values": visitor,
		"an owner":     func(n int) *store.Change { return creationFor(fmt.Sprintf("owner %08d", n), n) },
		"one label":    func(n int) *store.Change { return labelled(n, 1) },
		"20 labels":    func(n int) *store.Change { return labelled(n, 20) },
		"a text": func(n int) *store.Change {
			c := creation(n)
			c.Edits = setText(1000).Edits
			return c
		},
	} {
		before := heap()
		s := mem.New(&mem.Options{MaxBytes: math.MaxInt64})
		for n := range sessions {
			commit(t, s, token(n), change(n))
		}
		took, counted := float64(heap()-before)/sessions, float64(s.Bytes())/sessions
		if counted < took {
			t.Errorf("%s: a session takes %.0f bytes and counts as %.0f", kind, took, counted)
		}
		runtime.KeepAlive(s)
	}
}

// TestBytesFollowEveryChange goes through all that makes a session larger or smaller, and ends it in every way.
func TestBytesFollowEveryChange(t *testing.T) {
	clock := newClock()
	s := mem.New(&mem.Options{MaxSessions: 20, Now: clock.now})
	grows := func(what string, change *store.Change, want int64) {
		t.Helper()
		before := s.Bytes()
		commit(t, s, token(1), change)
		if got := s.Bytes() - before; got != want {
			t.Errorf("%s: the store grew by %d bytes, want %d", what, got, want)
		}
		wantConsistent(t, s)
	}
	grows("a creation", creation(1), 256)
	grows("a value", setText(100), int64(len("text")+100+2))
	grows("a shorter value", setText(50), -50)
	grows("a touch", &store.Change{Touched: true}, 0)
	grows("an owner", give("ann"), 128+3)
	grows("another owner", give("anna"), 1)
	grows("two labels", &store.Change{Labels: map[string]string{"a": "1", "b": "23"}}, 320+2*64+5)
	grows("a label less", &store.Change{Labels: map[string]string{"b": ""}}, -64-3)
	grows("nobody", give(""), -128-4)
	grows("no label", &store.Change{Labels: map[string]string{"a": ""}}, -320-64-2)
	grows("no value", &store.Change{Cleared: true}, -int64(len("text")+50+2))
	grows("a limit", &store.Change{Owner: new("ann"), MaxPerOwner: 1}, 128+3)

	for n := 2; n <= 100; n++ { // evicts those before by the limit of sessions
		commit(t, s, token(n), labelled(n, n%3))
		commit(t, s, token(n), setText(n))
	}
	for n := 101; n <= 110; n++ { // and by the owner's
		c := creationFor("bob", n)
		c.MaxPerOwner = 2
		commit(t, s, token(n), c)
		commit(t, s, token(n), &store.Change{RenewTo: token(-n)})
		wantConsistent(t, s)
	}
	if err := s.End(t.Context(), id(110), store.LoggedOut); err != nil {
		t.Fatal(err)
	}
	if n, err := s.EndOwner(t.Context(), "bob", nil, store.Revoked); n != 1 || err != nil {
		t.Fatalf("EndOwner: got %d, %v, want 1", n, err)
	}
	clock.move(time.Hour)
	sweepAll(t, s)
	if s.Len() != 0 || s.Bytes() != 0 {
		t.Errorf("after all have ended: Len() = %d, Bytes() = %d, want 0", s.Len(), s.Bytes())
	}
}

func TestBytesMakeTheIdlestGo(t *testing.T) {
	const size = 256 + len("text") + 1000 + 3
	s := mem.New(&mem.Options{MaxBytes: 10 * int64(size)})
	told := events(t, s)
	fill := func(n int) {
		c := creation(n)
		c.Edits = setText(1000).Edits
		commit(t, s, token(n), c)
	}
	for n := 1; n <= 10; n++ {
		fill(n)
	}
	wantThere(t, s, 1, 10)
	if s.Bytes() != 10*int64(size) {
		t.Fatalf("Bytes() = %d, want %d", s.Bytes(), 10*size)
	}
	wantThere(t, s, 2, 2)
	create(t, s, 11, 11) // evicts 1, and two more without values would still fit
	create(t, s, 12, 13)
	wantEvicted(t, *told, 1)
	fill(14) // fits in place of 3
	wantEvicted(t, *told, 1, 3)
	commit(t, s, token(4), setText(3000)) // the idlest itself grows: 5 and 6 are evicted
	wantEvicted(t, *told, 1, 3, 5, 6)
	wantThere(t, s, 4, 4)
	commit(t, s, token(4), setText(1000)) // shrinks, so it evicts none
	wantEvicted(t, *told, 1, 3, 5, 6)
	wantConsistent(t, s)
}

// wantEvicted tests which sessions were evicted, in that order.
func wantEvicted(t *testing.T, told []store.Event, want ...int) {
	t.Helper()
	var got []store.ID
	for _, e := range ended(told) {
		got = append(got, e.ID)
	}
	var ids []store.ID
	for _, n := range want {
		ids = append(ids, id(n))
	}
	if fmt.Sprint(got) != fmt.Sprint(ids) {
		t.Errorf("evicted %v, want %v", got, ids)
	}
}

// TestBytesSpareASessionThatIsTooLarge makes a session larger than the store: it stays, alone, until another comes.
func TestBytesSpareASessionThatIsTooLarge(t *testing.T) {
	s := mem.New(&mem.Options{MaxBytes: 2000})
	create(t, s, 1, 5)
	commit(t, s, token(3), setText(5000))
	wantThere(t, s, 3, 3)
	if s.Len() != 1 {
		t.Errorf("Len() = %d, want the large session alone", s.Len())
	}
	commit(t, s, token(3), setText(6000))
	wantThere(t, s, 3, 3)
	create(t, s, 6, 6)
	wantGone(t, s, 3, 3)
	wantThere(t, s, 6, 6)
	large := creation(7)
	large.Edits = setText(5000).Edits
	commit(t, s, token(7), large)
	wantThere(t, s, 7, 7)
	wantGone(t, s, 6, 6)
	wantConsistent(t, s)
}

// TestBytesSpareTheOneThatGrows uses all other sessions between the two evictions that a session needs to grow. It is
// the idlest then, and stays.
func TestBytesSpareTheOneThatGrows(t *testing.T) {
	s := mem.New(&mem.Options{MaxBytes: 4 * 256})
	var tokens []store.Token
	for n := range 4 {
		tokens = append(tokens, tokenIn(s, n, n))
		commit(t, s, tokens[n], creation(n))
	}
	told := events(t, s)
	var once sync.Once
	s.Watch(func(store.Event) {
		once.Do(func() { // holds the lock of session 1, and no other
			for _, token := range tokens[2:] {
				if _, err := s.Load(t.Context(), token); err != nil {
					t.Error(err)
				}
			}
		})
	})
	commit(t, s, tokens[0], setText(400))
	wantEvicted(t, *told, 1, 2)
	if _, err := s.Load(t.Context(), tokens[0]); err != nil {
		t.Errorf("the session that grew: %v", err)
	}
}
