package session_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
)

func TestNextTakesOneRoundTrip(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	v := fixture.NewVisitor(t, m)
	next := func(ctx context.Context) int64 {
		t.Helper()
		n, err := fixture.Hits.Next(ctx)
		expect.OK(t, err)
		return n
	}
	v.Visit(func(ctx context.Context) { expect.Equal(t, "number of a new session", next(ctx), 1) })
	expect.Equal(t, "store calls", s.Take(), fixture.Calls{Commits: 1})
	v.Visit(func(ctx context.Context) {
		expect.Equal(t, "number", next(ctx), 2)
		expect.Equal(t, "store calls of the first use", s.Take(), fixture.Calls{Loads: 1, Commits: 1})
		expect.Equal(t, "number", next(ctx), 3)
		expect.Equal(t, "store calls", s.Take(), fixture.Calls{Commits: 1})
	})
	expect.Equal(t, "store calls after Next", s.Take(), fixture.Calls{})
}

// Each request has the session in hand before any of them counts, so that what it has seen is old.
func TestNextGivesNoNumberTwice(t *testing.T) {
	const requests, goroutines, each = 8, 4, 5
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	var (
		ready, done sync.WaitGroup
		mu          sync.Mutex
		numbers     []int64
	)
	ready.Add(requests)
	for range requests {
		tab := v.Clone()
		done.Go(func() {
			tab.Visit(func(ctx context.Context) {
				fixture.Holds(t, ctx, fixture.User, "ann")
				ready.Done()
				ready.Wait()
				var counting sync.WaitGroup
				defer counting.Wait()
				for range goroutines {
					counting.Go(func() {
						for range each {
							n, err := fixture.Hits.Next(ctx)
							expect.OK(t, err)
							mu.Lock()
							numbers = append(numbers, n)
							mu.Unlock()
						}
					})
				}
			})
		})
	}
	done.Wait()
	slices.Sort(numbers)
	for i, n := range numbers {
		if n != int64(i)+1 {
			t.Fatalf("numbers: got %v, want each from 1 to %d once", numbers, len(numbers))
		}
	}
	expect.Equal(t, "numbers", len(numbers), requests*goroutines*each)
}

func TestNextCommitsWhatElseHasChanged(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) {
		expect.OK(t, fixture.User.Set(ctx, "ann"))
		_, err := fixture.Hits.Add(ctx, 5)
		expect.OK(t, err)
		n, err := fixture.Hits.Next(ctx)
		expect.OK(t, err)
		expect.Equal(t, "number", n, 6)
		token, err := session.FromContext(ctx).Token()
		expect.OK(t, err)
		s, err := v.Site.Open(t.Context(), token)
		expect.OK(t, err)
		fixture.Holds(t, session.NewContext(t.Context(), s), fixture.User, "ann")
	})
}

func TestNextAfterTheResponseBegan(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	fixture.NewVisitor(t, v.Site).Stream(func(ctx context.Context, begin func()) {
		begin()
		_, err := fixture.Hits.Next(ctx)
		expect.Is(t, "Next without a session", err, session.ErrTooLate)
	})
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	v.Stream(func(ctx context.Context, begin func()) {
		begin()
		n, err := fixture.Hits.Next(ctx)
		expect.OK(t, err)
		expect.Equal(t, "number", n, 1)
	})
}

func TestNextOutsideHTTP(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	job, err := m.Create(t.Context())
	expect.OK(t, err)
	s.Take()
	n, err := fixture.Hits.Next(session.NewContext(t.Context(), job))
	expect.OK(t, err)
	expect.Equal(t, "number", n, 1)
	expect.Equal(t, "store calls", s.Take(), fixture.Calls{Commits: 1})
}

func TestNextFails(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	v := fixture.NewVisitor(t, m)
	text := session.NewKey[string](fixture.Hits.Name())
	v.Visit(func(ctx context.Context) { expect.OK(t, text.Set(ctx, "many")) })
	v.Visit(func(ctx context.Context) {
		_, err := fixture.Hits.Next(ctx)
		var value *session.ValueError
		expect.Equal(t, "Next of a text is a ValueError", errors.As(err, &value), true)
		expect.OK(t, text.Delete(ctx))
		n, err := fixture.Hits.Next(ctx)
		expect.OK(t, err)
		expect.Equal(t, "number", n, 1)
	})
	// The text is unseen: another request has set it meanwhile.
	v.Visit(func(ctx context.Context) {
		_, err := fixture.Hits.Get(ctx)
		expect.OK(t, err)
		v.Clone().Visit(func(ctx context.Context) { expect.OK(t, text.Set(ctx, "many")) })
		expect.OK(t, fixture.User.Set(ctx, "ann"))
		_, err = fixture.Hits.Next(ctx)
		var value *session.ValueError
		expect.Equal(t, "Next of a text is a ValueError", errors.As(err, &value), true)
		expect.OK(t, session.FromContext(ctx).Commit(ctx)) // of the name, without the count
	})
	v.Visit(func(ctx context.Context) {
		fixture.Holds(t, ctx, fixture.User, "ann")
		expect.OK(t, text.Delete(ctx))
		s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
		_, err := fixture.Hits.Next(ctx)
		expect.Is(t, "Next", err, session.ErrUnavailable)
		s.Broken.Mend()
	})
	var zero session.Counter
	_, err := zero.Next(t.Context())
	if err == nil {
		t.Error("Next of a zero Counter: got no error")
	}
	_, err = fixture.Hits.Next(t.Context())
	expect.Is(t, "Next without the middleware", err, session.ErrNoMiddleware)
}
