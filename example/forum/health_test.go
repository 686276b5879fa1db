package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// A pingStub answers as it is told.
type pingStub func(context.Context) error

func (p pingStub) Ping(ctx context.Context) error { return p(ctx) }

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // for the time-out
		for name, c := range map[string]struct {
			ping pingStub
			want int
		}{
			"store answers":   {func(context.Context) error { return nil }, http.StatusOK},
			"store is broken": {func(context.Context) error { return errors.New("broken") }, http.StatusServiceUnavailable},
			"store hangs":     {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, http.StatusServiceUnavailable},
		} {
			h := &health{store: c.ping}
			if got := askHealth(h); got != c.want {
				t.Errorf("%s: got %d, want %d", name, got, c.want)
			}
			h.drain()
			if got := askHealth(h); got != http.StatusServiceUnavailable {
				t.Errorf("%s, stopping: got %d, want 503", name, got)
			}
		}
	})
}

func askHealth(h http.Handler) int {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", healthPath, nil))
	return w.Code
}

// A balancer that asks twice a second must cost the store nothing but a ping.
func TestHealthUsesNoSession(t *testing.T) {
	sessions := &callCounter{Store: mem.New(nil)}
	b := openBrowser(t, startForumOn(t, sessions))
	b.logIn("Ann")
	before := sessions.calls.Load()
	b.get(healthPath).wants(t, http.StatusOK, "ok")
	if n := sessions.calls.Load() - before; n != 0 {
		t.Errorf("%s with a cookie made %d loads and commits, want none", healthPath, n)
	}
}

// A callCounter counts loads and commits.
type callCounter struct {
	*mem.Store
	calls atomic.Int64
}

func (c *callCounter) Load(ctx context.Context, t store.Token) (*store.Record, error) {
	c.calls.Add(1)
	return c.Store.Load(ctx, t)
}

func (c *callCounter) Commit(ctx context.Context, t store.Token, ch *store.Change) (*store.Record, error) {
	c.calls.Add(1)
	return c.Store.Commit(ctx, t, ch)
}
