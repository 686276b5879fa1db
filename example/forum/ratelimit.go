package main

import (
	"context"
	"net/http"

	"golang.org/x/time/rate"

	"github.com/lazysession/session/conn"
	"github.com/lazysession/session/slot"
)

// A rateLayer limits how many requests a connection makes. It stops a faulty client, but not an attacker: another
// connection has another limit. Switch it off behind a proxy whose connections many visitors share.
type rateLayer struct {
	perSecond int
	slot      slot.Slot[rate.Limiter]
}

func newRateLayer(t *slot.Table, perSecond int) (*rateLayer, error) {
	l := &rateLayer{perSecond: perSecond}
	var err error
	l.slot, err = slot.New(t, "forum.rate", slot.Hooks[rate.Limiter]{
		OnOpen: func(context.Context, *rate.Limiter) *rate.Limiter {
			return rate.NewLimiter(rate.Limit(perSecond), perSecond)
		},
	})
	return l, err
}

// limit answers 429 to requests beyond the limit (RFC 6585, section 4).
func (l *rateLayer) limit(next http.Handler) http.Handler {
	tooFast := page(l.tooFast)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limiter, err := l.slot.Get(conn.FromContext(r.Context()))
		if l.perSecond > 0 && err == nil && !limiter.Allow() {
			tooFast.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (l *rateLayer) tooFast(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Retry-After", "1")
	return problem{Status: http.StatusTooManyRequests, Title: "Not so fast",
		Text: "Your connection may make " + count(l.perSecond, "request") + " a second, and made more. Wait a moment."}
}
