package main

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/lazysession/session/store"
)

// What a load balancer asks. Neither uses a session.
const (
	livePath  = "/livez"  // the process is up: pages that use no session work
	readyPath = "/readyz" // every page works, and no stop is near
)

// readyTimeout is how long the store may take to answer: less than what a load balancer waits for an answer.
const readyTimeout = time.Second

// A health tells a load balancer whether to send visitors here. A balancer prefers servers that are ready. If none is
// ready, it uses those that are live.
type health struct {
	sessions store.Pinger // the Manager
	draining atomic.Bool
}

// drain makes the server not ready from now on.
func (h *health) drain() { h.draining.Store(true) }

func (h *health) live(w http.ResponseWriter, _ *http.Request) { tell(w, http.StatusOK, "ok") }

func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	switch {
	case h.draining.Load():
		tell(w, http.StatusServiceUnavailable, "stopping")
	case h.sessions.Ping(ctx) != nil: // the answer leaves out the cause, which may name hosts
		tell(w, http.StatusServiceUnavailable, "the store does not answer")
	default:
		tell(w, http.StatusOK, "ok")
	}
}

func tell(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, text, status)
}
