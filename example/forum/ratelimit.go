package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/lazysession/session/conn"
	"github.com/lazysession/session/slot"
)

// A rateLayer limits how many requests a connection makes. It stops a loop gone wild, not an attacker, who opens another
// connection; and behind a proxy, whose connections many visitors share, it should be off.
type rateLayer struct {
	perSecond int
	slot      slot.Slot[bucket]
}

func newRateLayer(t *slot.Table, perSecond int) (*rateLayer, error) {
	l := &rateLayer{perSecond: perSecond}
	var err error
	l.slot, err = slot.New(t, "forum.rate", slot.Hooks[bucket]{
		OnOpen: func(context.Context, *bucket) *bucket { return newBucket(perSecond) },
	})
	return l, err
}

// limit answers 429 to what is too much (RFC 6585, section 4).
func (l *rateLayer) limit(next http.Handler) http.Handler {
	tooFast := page(l.tooFast)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := l.slot.Get(conn.FromContext(r.Context()))
		if l.perSecond > 0 && err == nil && !b.take(time.Now()) {
			tooFast.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (l *rateLayer) tooFast(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Retry-After", "1")
	return problem{Status: http.StatusTooManyRequests, Title: "Not so fast",
		Text: "Your connection may make " + count(int64(l.perSecond), "request") + " a second, and made more. Wait a moment."}
}

// A bucket holds a second's worth of requests and is filled as fast as they may be made. The requests of an HTTP/2
// connection take from it at once.
type bucket struct {
	perSecond float64

	mu   sync.Mutex // locks the remaining fields
	left float64
	at   time.Time // when left was true; zero: never taken from
}

func newBucket(perSecond int) *bucket {
	return &bucket{perSecond: float64(perSecond), left: float64(perSecond)}
}

// take takes one request, if there is one.
func (b *bucket) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.at.IsZero() {
		b.left = min(b.perSecond, b.left+b.perSecond*now.Sub(b.at).Seconds())
	}
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
