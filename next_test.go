package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/lazysession/session"
)

func TestNextTakesOneRoundTrip(t *testing.T) {
	m, s := newManager(t, nil)
	v := &visitor{t: t, m: m}
	next := func(ctx context.Context) int64 {
		t.Helper()
		n, err := hits.Next(ctx)
		must(t, err)
		return n
	}
	v.visit(func(ctx context.Context) { check(t, "number of a new session", next(ctx), 1) })
	check(t, "store calls", s.take(), calls{commits: 1})
	v.visit(func(ctx context.Context) {
		check(t, "number", next(ctx), 2)
		check(t, "store calls of the first use", s.take(), calls{loads: 1, commits: 1})
		check(t, "number", next(ctx), 3)
		check(t, "store calls", s.take(), calls{commits: 1})
	})
	check(t, "store calls after Next", s.take(), calls{})
}

// Each request has the session in hand before any of them counts, so that what it has seen is old.
func TestNextGivesNoNumberTwice(t *testing.T) {
	const requests, goroutines, each = 8, 4, 5
	v := newVisitor(t, nil)
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	var (
		ready, done sync.WaitGroup
		mu          sync.Mutex
		numbers     []int64
	)
	ready.Add(requests)
	for range requests {
		tab := v.clone()
		done.Go(func() {
			tab.visit(func(ctx context.Context) {
				wantValue(t, ctx, user, "ann")
				ready.Done()
				ready.Wait()
				var counting sync.WaitGroup
				defer counting.Wait()
				for range goroutines {
					counting.Go(func() {
						for range each {
							n, err := hits.Next(ctx)
							must(t, err)
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
	check(t, "numbers", len(numbers), requests*goroutines*each)
}

func TestNextCommitsWhatElseHasChanged(t *testing.T) {
	v := newVisitor(t, nil)
	v.visit(func(ctx context.Context) {
		must(t, user.Set(ctx, "ann"))
		_, err := hits.Add(ctx, 5)
		must(t, err)
		n, err := hits.Next(ctx)
		must(t, err)
		check(t, "number", n, 6)
		token, err := session.FromContext(ctx).Token()
		must(t, err)
		s, err := v.m.Open(t.Context(), token)
		must(t, err)
		wantValue(t, session.NewContext(t.Context(), s), user, "ann")
	})
}

func TestNextAfterTheResponseBegan(t *testing.T) {
	v := newVisitor(t, nil)
	v.cookieless(func(ctx context.Context, begin func()) {
		begin()
		_, err := hits.Next(ctx)
		checkErr(t, "Next without a session", err, session.ErrTooLate)
	})
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	v.stream(func(ctx context.Context, begin func()) {
		begin()
		n, err := hits.Next(ctx)
		must(t, err)
		check(t, "number", n, 1)
	})
}

// cookieless is stream of a visitor without a session.
func (v *visitor) cookieless(do func(ctx context.Context, begin func())) {
	r := httptest.NewRequest("GET", "/", nil)
	v.m.Handler(streaming(v.t, do)).ServeHTTP(httptest.NewRecorder(), r)
}

func TestNextOutsideHTTP(t *testing.T) {
	m, s := newManager(t, nil)
	job, err := m.Create(t.Context())
	must(t, err)
	s.take()
	n, err := hits.Next(session.NewContext(t.Context(), job))
	must(t, err)
	check(t, "number", n, 1)
	check(t, "store calls", s.take(), calls{commits: 1})
}

func TestNextFails(t *testing.T) {
	m, s := newManager(t, nil)
	v := &visitor{t: t, m: m}
	text := session.NewKey[string](hits.Name())
	v.visit(func(ctx context.Context) { must(t, text.Set(ctx, "many")) })
	v.visit(func(ctx context.Context) {
		_, err := hits.Next(ctx)
		var value *session.ValueError
		check(t, "Next of a text is a ValueError", errors.As(err, &value), true)
		must(t, text.Delete(ctx))
		n, err := hits.Next(ctx)
		must(t, err)
		check(t, "number", n, 1)
	})
	// The text is unseen: another request has set it meanwhile.
	v.visit(func(ctx context.Context) {
		_, err := hits.Get(ctx)
		must(t, err)
		v.clone().visit(func(ctx context.Context) { must(t, text.Set(ctx, "many")) })
		must(t, user.Set(ctx, "ann"))
		_, err = hits.Next(ctx)
		var value *session.ValueError
		check(t, "Next of a text is a ValueError", errors.As(err, &value), true)
		must(t, session.FromContext(ctx).Commit(ctx)) // of the name, without the count
	})
	v.visit(func(ctx context.Context) {
		wantValue(t, ctx, user, "ann")
		must(t, text.Delete(ctx))
		s.onCommit = fail
		_, err := hits.Next(ctx)
		checkErr(t, "Next", err, session.ErrUnavailable)
		s.onCommit = nil
	})
	var zero session.Counter
	_, err := zero.Next(t.Context())
	if err == nil {
		t.Error("Next of a zero Counter: got no error")
	}
	_, err = hits.Next(t.Context())
	checkErr(t, "Next without the middleware", err, session.ErrNoMiddleware)
}

// streaming returns a handler that begins its response when it likes.
func streaming(t *testing.T, do func(ctx context.Context, begin func())) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		do(r.Context(), func() { must(t, http.NewResponseController(w).Flush()) })
	})
}
