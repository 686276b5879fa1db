package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// A pingStub answers as it is told.
type pingStub func(context.Context) error

func (p pingStub) Ping(ctx context.Context) error { return p(ctx) }

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // for the time-out
		for name, c := range map[string]struct {
			ping  pingStub
			ready int
		}{
			"store answers":   {func(context.Context) error { return nil }, http.StatusOK},
			"store is broken": {func(context.Context) error { return errors.New("broken") }, http.StatusServiceUnavailable},
			"store hangs": {func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			}, http.StatusServiceUnavailable},
		} {
			h := &health{sessions: c.ping}
			wantHealth(t, name, h, http.StatusOK, c.ready)
			h.drain()
			wantHealth(t, name+", stopping", h, http.StatusOK, http.StatusServiceUnavailable)
		}
	})
}

func wantHealth(t *testing.T, when string, h *health, live, ready int) {
	t.Helper()
	if got := askHealth(h.live); got != live {
		t.Errorf("%s: live is %d, want %d", when, got, live)
	}
	if got := askHealth(h.ready); got != ready {
		t.Errorf("%s: ready is %d, want %d", when, got, ready)
	}
}

func askHealth(h http.HandlerFunc) int {
	w := httptest.NewRecorder()
	h(w, httptest.NewRequest("GET", "/", nil))
	return w.Code
}

// Ready asks the store, by the Manager.
func TestReadyIsWhatTheStoreSays(t *testing.T) {
	address, sessions := startBrittleForum(t)
	b := openBrowser(t, address)
	sessions.Fail(errInternal, sessiontest.Ping)
	a := b.get(readyPath)
	a.wants(t, http.StatusServiceUnavailable, "the store does not answer")
	a.wantsNot(t, "db.internal")
	b.get(livePath).wants(t, http.StatusOK)
}

// A balancer that asks twice a second must cost the store nothing but a ping.
func TestHealthUsesNoSession(t *testing.T) {
	sessions := &callCounter{Store: mem.New(nil)}
	b := openBrowser(t, startForumOn(t, sessions))
	b.logIn("Ann")
	before := sessions.calls.Load()
	for _, path := range []string{livePath, readyPath} {
		b.get(path).wants(t, http.StatusOK, "ok")
	}
	if n := sessions.calls.Load() - before; n != 0 {
		t.Errorf("asking with a cookie made %d loads and commits, want none", n)
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
