package main

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/lazysession/session/store"
)

const healthPath = "/healthz"

// healthTimeout is how long the store may take to answer: less than what a load balancer waits for an answer.
const healthTimeout = time.Second

// A health tells a load balancer whether to send visitors here. It uses no session.
type health struct {
	store    store.Pinger
	draining atomic.Bool
}

// drain makes it say no from now on.
func (h *health) drain() { h.draining.Store(true) }

func (h *health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
	defer cancel()
	switch {
	case h.draining.Load():
		http.Error(w, "stopping", http.StatusServiceUnavailable)
	case h.store.Ping(ctx) != nil: // why is not for strangers to know
		http.Error(w, "the store does not answer", http.StatusServiceUnavailable)
	default:
		http.Error(w, "ok", http.StatusOK)
	}
}
