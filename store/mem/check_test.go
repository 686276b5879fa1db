package mem_test

import (
	"context"
	"errors"
	"testing"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

func TestCheckLiveOfAStoreThatCannotAnswer(t *testing.T) {
	s := mem.New(nil)
	create(t, s, 1, 1)
	cause := errors.New("the client has gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if live, err := s.CheckLive(ctx, []store.ID{id(1)}); !errors.Is(err, cause) || live != nil {
		t.Errorf("CheckLive with a cancelled context: got %v and error %v, want error %v", live, err, cause)
	}
	s.Close()
	if live, err := s.CheckLive(t.Context(), []store.ID{id(1)}); !errors.Is(err, mem.ErrClosed) || live != nil {
		t.Errorf("CheckLive after Close: got %v and error %v, want error %v", live, err, mem.ErrClosed)
	}
}

// To look whether a session is live is no use: it does not save it from eviction.
func TestCheckLiveIsNoUse(t *testing.T) {
	s := mem.New(&mem.Options{MaxSessions: 2})
	create(t, s, 1, 2)
	if live, err := s.CheckLive(t.Context(), []store.ID{id(1)}); err != nil || len(live) != 1 {
		t.Fatalf("CheckLive: got %v and error %v, want the first session", live, err)
	}
	create(t, s, 3, 3)
	wantGone(t, s, 1, 1)
	wantThere(t, s, 2, 3)
}

func TestCheckLiveAllocatesItsAnswerOnly(t *testing.T) {
	s := mem.New(nil)
	create(t, s, 1, 10)
	gone, one, ctx := []store.ID{id(-1), id(-2)}, []store.ID{id(1), id(-1)}, t.Context()
	wantAllocs(t, 0, "CheckLive that finds none", func() { s.CheckLive(ctx, gone) })
	wantAllocs(t, 1, "CheckLive that finds one", func() { s.CheckLive(ctx, one) })
}
