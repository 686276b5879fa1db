package main

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/lazysession/session/conn"
	"github.com/lazysession/session/slot"
)

// A trafficLayer counts the bytes and requests of each connection.
type trafficLayer struct{ slot slot.Slot[traffic] }

// A traffic is the data that it keeps of one connection.
type traffic struct {
	since             time.Time
	in, out, requests atomic.Int64
}

func newTrafficLayer(t *slot.Table) (*trafficLayer, error) {
	s, err := slot.New(t, "forum.traffic", slot.Hooks[traffic]{OnOpen: openTraffic})
	return &trafficLayer{s}, err
}

func openTraffic(ctx context.Context, _ *traffic) *traffic {
	t := &traffic{since: time.Now()}
	_ = conn.FromContext(ctx).Observe(t) // fails outside of this hook only
	return t
}

func (t *traffic) OnRead(n int64, _ error)  { t.in.Add(n) }
func (t *traffic) OnWrite(n int64, _ error) { t.out.Add(n) }

// count counts requests. It also serves requests whose connection has no slots, as in tests.
func (l *trafficLayer) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if t, err := l.slot.Get(conn.FromContext(r.Context())); err == nil {
			t.requests.Add(1)
		}
		next.ServeHTTP(w, r)
	})
}
