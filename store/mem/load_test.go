package mem_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// wantAllocs fails if f allocates more than want times.
func wantAllocs(t *testing.T, want float64, what string, f func()) {
	t.Helper()
	if got := testing.AllocsPerRun(200, f); got > want {
		t.Errorf("%s allocates %v times, want at most %v", what, got, want)
	}
}

func TestAllocs(t *testing.T) {
	s := mem.New(nil)
	create(t, s, 1, 100)
	ctx := t.Context()
	known, unknown, renewed := token(1), token(-1), token(2)
	commit(t, s, renewed, &store.Change{RenewTo: token(-2)})
	wantAllocs(t, 0, "Load", func() { s.Load(ctx, known) })
	wantAllocs(t, 0, "Load of an unknown token", func() { s.Load(ctx, unknown) })
	wantAllocs(t, 0, "Load of a renewed token", func() { s.Load(ctx, renewed) })
	touch := &store.Change{Touched: true}
	wantAllocs(t, 2, "Commit that touches: the record and the node", func() { s.Commit(ctx, known, touch) })
	add := &store.Change{Edits: []store.Edit{{Name: "hits", Op: store.Add, Delta: 1}}}
	wantAllocs(t, 4, "Commit that adds: the values besides", func() { s.Commit(ctx, known, add) })
	wantAllocs(t, 0, "Sweep where nothing is due", func() { s.Sweep(ctx) })
}

// TestNodeSize guards the largest part of what a session costs. With one more field each session takes 16 bytes more.
func TestNodeSize(t *testing.T) {
	if mem.NodeSize > 160 {
		t.Errorf("a node takes %d bytes, want 160 at most: a size class of the allocator", mem.NodeSize)
	}
}

// TestBytesPerSession is a small BenchmarkMillion, for every run of the tests.
func TestBytesPerSession(t *testing.T) {
	const sessions = 200_000
	before := heap()
	s := mem.New(nil)
	populate(t, s, sessions)
	if got := float64(heap()-before) / sessions; got > 250 {
		t.Errorf("a session takes %.0f bytes, want 250 at most", got)
	}
	runtime.KeepAlive(s)
}

func TestKeptRecordKeepsNoOther(t *testing.T) {
	s := mem.New(nil)
	create(t, s, 1, 2000)
	var kept []*store.Record
	for n := 1; n <= 2000; n++ {
		r, err := s.Load(t.Context(), token(n))
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, r)
		switch n % 3 {
		case 0:
			commit(t, s, token(n), &store.Change{Touched: true})
		case 1:
			commit(t, s, token(n), &store.Change{RenewTo: token(-n)})
		case 2:
			if err := s.End(t.Context(), id(n), store.LoggedOut); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, r := range kept {
		if mem.Linked(r) {
			t.Fatalf("the old record of session %d still leads to other sessions", i+1)
		}
	}
}

func TestCanceled(t *testing.T) {
	s := mem.New(nil)
	create(t, s, 1, 1)
	cause := errors.New("the client has gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	wantErrors(t, s, ctx, cause)
	wantThere(t, s, 1, 1)
}

func TestClosed(t *testing.T) {
	s := mem.New(nil)
	create(t, s, 1, 1000)
	commit(t, s, token(1001), creationFor("ann", 1001))
	commit(t, s, token(2), &store.Change{RenewTo: token(-2)})
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	wantErrors(t, s, t.Context(), mem.ErrClosed)
	if s.Len() != 0 {
		t.Errorf("Len() = %d after Close, want 0", s.Len())
	}
	if slots, owners, retired := s.Footprint(); slots+owners+retired > 0 {
		t.Errorf("after Close there are still %d slots, %d owners and %d retired tokens", slots, owners, retired)
	}
	wantConsistent(t, s)
}

// wantErrors fails unless every operation on session 1 returns an error that is want.
func wantErrors(t *testing.T, s *mem.Store, ctx context.Context, want error) {
	t.Helper()
	check := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: got error %v, want %v", what, err, want)
		}
	}
	_, err := s.Load(ctx, token(1))
	check("Load", err)
	_, err = s.Commit(ctx, token(1), &store.Change{Touched: true})
	check("Commit", err)
	_, err = s.Commit(ctx, token(-1), creation(-1))
	check("Commit that creates", err)
	check("End", s.End(ctx, id(1), store.LoggedOut))
	_, err = s.EndOwner(ctx, "ann", nil, store.Revoked)
	check("EndOwner", err)
	_, err = s.Sweep(ctx)
	check("Sweep", err)
	check("Ping", s.Ping(ctx))
	for _, filter := range []store.Filter{{}, {All: true}, {Owner: "ann"}} {
		err = nil
		for _, err = range s.List(ctx, filter) {
		}
		check(fmt.Sprintf("List with %+v", filter), err)
	}
}

func TestDefaults(t *testing.T) {
	for _, o := range []*mem.Options{nil, {}} {
		s := mem.New(o)
		if !s.Volatile() {
			t.Error("Volatile() = false, want true")
		}
		if got := s.Now(); time.Since(got) > time.Minute {
			t.Errorf("Now() = %v", got)
		}
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("Ping: %v", err)
		}
		if sessions, bytes := s.Limits(); sessions != 1<<20 || bytes != 1<<30 {
			t.Errorf("there may be %d sessions and %d bytes, want %d and %d", sessions, bytes, 1<<20, 1<<30)
		}
	}
}
