package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
)

func TestStoreTimeout(t *testing.T) {
	const timeout = 700 * time.Millisecond
	type op func(m *session.Manager, token string) error
	request := func(f func(*http.Request) error) op {
		return func(m *session.Manager, token string) (err error) {
			r := httptest.NewRequest("GET", "https://example.com/", nil)
			if token != "" {
				r.Header.Set("Cookie", fixture.CookieName+"="+token)
			}
			m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				err = f(r)
			})).ServeHTTP(httptest.NewRecorder(), r)
			return err
		}
	}
	for _, tt := range []struct {
		name string
		op   op
	}{
		{"Get", request(func(r *http.Request) error { _, err := fixture.Who.Get(r.Context()); return err })},
		{"a hundred values in one request", request(func(r *http.Request) error {
			var errs []error
			for range 100 {
				_, err := fixture.Who.Get(r.Context())
				errs = append(errs, err, fixture.Who.Set(r.Context(), "x"))
			}
			_, err := session.FromContext(r.Context()).Exists()
			return errors.Join(append(errs, err)...)
		})},
		{"Open", func(m *session.Manager, token string) error {
			_, err := m.Open(context.Background(), token)
			return err
		}},
		{"Create", func(m *session.Manager, _ string) error { _, err := m.Create(context.Background()); return err }},
		{"End", func(m *session.Manager, _ string) error { return m.End(context.Background(), session.ID{1}) }},
		{"EndOwner", func(m *session.Manager, _ string) error {
			_, err := m.EndOwner(context.Background(), "alice")
			return err
		}},
		{"Create, with a context that is cancelled", func(m *session.Manager, _ string) error {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_, err := m.Create(ctx) // a commit is not cancelled by the client's going away
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, s := fixture.NewManager(t, &session.Config{Keys: [][]byte{fixture.KeyA}, StoreTimeout: timeout})
				s.Broken.Hang()
				start := time.Now()
				err := tt.op(m, fixture.Sign(t, fixture.KeyA, fixture.CookieName, make([]byte, 32)))
				expect.Is(t, "result", err, session.ErrUnavailable)
				expect.Is(t, "cause", err, context.DeadlineExceeded)
				expect.Equal(t, "time", time.Since(start), timeout)
			})
		})
	}
}

// A load does not end with its request, since a database driver closes a connection whose query is cancelled.
func TestLoadOutlivesItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout = 700 * time.Millisecond
		m, s := fixture.NewManager(t, &session.Config{Keys: [][]byte{fixture.KeyA}, StoreTimeout: timeout})
		s.Broken.Hang()
		gone := errors.New("the client has gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Millisecond, func() { cancel(gone) })
		start := time.Now()
		_, err := m.Open(ctx, fixture.Sign(t, fixture.KeyA, fixture.CookieName, make([]byte, 32)))
		expect.Is(t, "result", err, session.ErrUnavailable)
		expect.Is(t, "cause", err, context.DeadlineExceeded)
		expect.Equal(t, "time", time.Since(start), timeout)
	})
}

type valueKey struct{}

func TestStoreContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancelCause(context.WithValue(t.Context(), valueKey{}, "x"))
		defer cancel(nil)
		newContext := func() (context.Context, func() bool) {
			ctx, release, timed := session.NewStoreContext(parent, time.Second)
			t.Cleanup(release)
			return ctx, timed
		}

		ctx, timed := newContext()
		expect.Is(t, "Err, asked once", ctx.Err(), nil)
		expect.Equal(t, "Value", ctx.Value(valueKey{}), any("x"))
		expect.Equal(t, "a timer runs for who asks once", timed(), false)

		ctx.Err()
		expect.Equal(t, "a timer runs for who asks twice", timed(), true)
		time.Sleep(time.Second)
		synctest.Wait()
		expect.Is(t, "Err, for who asks until it is done", ctx.Err(), context.DeadlineExceeded)
		expect.Is(t, "Cause", context.Cause(ctx), context.DeadlineExceeded)

		ctx, timed = newContext()
		deadline, ok := ctx.Deadline()
		expect.Equal(t, "Deadline", deadline, time.Now().Add(time.Second))
		expect.Equal(t, "there is a deadline", ok, true)
		expect.Equal(t, "a timer runs for who asks for the deadline", timed(), true)
		expect.Equal(t, "Value with a timer", ctx.Value(valueKey{}), any("x"))

		ctx, timed = newContext()
		done := ctx.Done()
		expect.Equal(t, "a timer runs for who waits", timed(), true)
		time.Sleep(time.Second - 1)
		expect.Is(t, "Err before the timeout", ctx.Err(), nil)
		<-done
		expect.Is(t, "Err after the timeout", ctx.Err(), context.DeadlineExceeded)

		ctx, _ = newContext()
		gone := errors.New("gone")
		cancel(gone)
		expect.Is(t, "Err, where the parent is cancelled", ctx.Err(), nil)
		<-ctx.Done()
		expect.Is(t, "Err after Done", ctx.Err(), context.DeadlineExceeded)
	})
}

func TestReleasedStoreContextIsDone(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(context.Context)
	}{
		{"never asked", func(context.Context) {}},
		{"asked once", func(ctx context.Context) { ctx.Err() }},
		{"waited for", func(ctx context.Context) { ctx.Done() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, release, _ := session.NewStoreContext(context.WithValue(t.Context(), valueKey{}, "x"), time.Hour)
			tt.before(ctx)
			release()
			release()
			<-ctx.Done()
			expect.Is(t, "Err", ctx.Err(), context.Canceled)
			expect.Equal(t, "Value", ctx.Value(valueKey{}), any("x"))
		})
	}
}

// Drivers derive a context for each query. If the parent is of a type that package context does not know, it starts a
// goroutine for each; the store's context avoids that.
func TestContextsDerivedByDriversStartNoGoroutine(t *testing.T) {
	ctx, release, _ := session.NewStoreContext(context.WithoutCancel(t.Context()), time.Hour)
	defer release()
	before := runtime.NumGoroutine()
	var derived []context.Context
	for range 100 {
		child, cancel := context.WithCancel(ctx)
		defer cancel()
		derived = append(derived, child)
	}
	if n := runtime.NumGoroutine(); n > before+10 {
		t.Errorf("goroutines: got %d after 100 contexts were derived, want %d", n, before)
	}
	release()
	for _, child := range derived {
		<-child.Done() // by the parent's end
	}
}

// A goroutine of the store may still wait for the context of a call that has returned.
func TestStoreContextIsReleasedWhateverGoesOn(t *testing.T) {
	for range 500 {
		ctx, release, _ := session.NewStoreContext(t.Context(), time.Hour)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for _, f := range []func(){func() { ctx.Done() }, func() { ctx.Err() }, func() { ctx.Deadline() }, release, release} {
			wg.Go(func() { <-start; f() })
		}
		close(start)
		wg.Wait()
		select {
		case <-ctx.Done():
		default:
			t.Fatal("the context is not done")
		}
		expect.Is(t, "Err", ctx.Err(), context.Canceled)
	}
}
