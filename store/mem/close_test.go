package mem_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// TestCloseUnderLoad closes a full store while it is used. Nothing is left of the calls under way, and every call that
// begins afterwards returns ErrClosed.
func TestCloseUnderLoad(t *testing.T) {
	for round := range 20 {
		s := mem.New(&mem.Options{MaxSessions: 50})
		create(t, s, 0, 50)
		const workers = 4
		var busy, working sync.WaitGroup
		busy.Add(workers)
		for i := range workers {
			h := newHammer(t, s, newClock(), uint64(round*workers+i))
			working.Go(func() {
				for n := 0; ; n++ {
					err := h.blow()
					if n == 20 {
						busy.Done()
					}
					if errors.Is(err, mem.ErrClosed) && n >= 20 {
						return
					}
					if err != nil && !errors.Is(err, mem.ErrClosed) {
						t.Error(err)
					}
				}
			})
		}
		busy.Wait()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		wantErrors(t, s, t.Context(), mem.ErrClosed)
		working.Wait()
		slots, owners, retired := s.Footprint()
		if s.Len() != 0 || s.Bytes() != 0 || slots+owners+retired != 0 {
			t.Errorf("after Close: Len() = %d, Bytes() = %d, %d slots, %d owners, %d retired tokens, want none",
				s.Len(), s.Bytes(), slots, owners, retired)
		}
		wantConsistent(t, s)
	}
}

// TestCloseEndsAList closes a store in the middle of a list, with so few sessions, too, that each is the last of its
// shard.
func TestCloseEndsAList(t *testing.T) {
	for _, tt := range []struct {
		filter   store.Filter
		sessions int
	}{
		{store.Filter{All: true}, 2}, {store.Filter{All: true}, 1000},
		{store.Filter{Owner: "ann"}, 2}, {store.Filter{Owner: "ann"}, 1000},
	} {
		filter := tt.filter
		s := mem.New(nil)
		for n := range tt.sessions {
			commit(t, s, token(n), creationFor("ann", n))
		}
		var last error
		for _, err := range s.List(t.Context(), filter) {
			if last != nil {
				t.Fatalf("List with %+v went on after %v", filter, last)
			}
			if last = err; err == nil {
				s.Close()
			}
		}
		if !errors.Is(last, mem.ErrClosed) {
			t.Errorf("List with %+v: got error %v, want %v", filter, last, mem.ErrClosed)
		}
	}
}
