package session_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store"
)

// A pinger is a store whose Ping a test chooses.
type pinger struct {
	store.Store
	ping func(ctx context.Context) error
}

func (p pinger) Ping(ctx context.Context) error { return p.ping(ctx) }

func TestPing(t *testing.T) {
	s := newSpy()
	failing := func(context.Context) error { return errStore }
	for _, tt := range []struct {
		name  string
		store store.Store
		load  func() error
		want  error
	}{
		{"by a store that can", pinger{s, func(context.Context) error { return nil }}, fail, nil},
		{"by a store that can, and fails", pinger{s, failing}, nil, errStore},
		{"by a load", s, nil, nil},
		{"by a load, behind a store that only might", pinger{s, func(context.Context) error { return errors.ErrUnsupported }}, nil, nil},
		{"by a load that fails", s, fail, errStore},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.onLoad = tt.load
			err := newManagerOn(t, tt.store, nil).Ping(t.Context())
			checkErr(t, "Ping", err, tt.want)
			if tt.want != nil {
				checkErr(t, "Ping", err, session.ErrUnavailable)
			}
		})
	}
}

func TestPingEndsWithTheStoreTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hanging := pinger{newSpy(), func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }}
		m := newManagerOn(t, hanging, &session.Config{StoreTimeout: 3 * time.Second})
		start := time.Now()
		err := m.Ping(t.Context())
		check(t, "waited", time.Since(start), 3*time.Second)
		checkErr(t, "Ping", err, context.DeadlineExceeded)
		checkErr(t, "Ping", err, session.ErrUnavailable)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		check(t, "Ping with a context that is done ends", errors.Is(m.Ping(ctx), context.Canceled), true)
	})
}
