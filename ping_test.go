package session_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store"
)

// A pinger is a store whose Ping a test chooses.
type pinger struct {
	store.Store
	ping func(ctx context.Context) error
}

func (p pinger) Ping(ctx context.Context) error { return p.ping(ctx) }

func TestPing(t *testing.T) {
	s := fixture.NewStore()
	failing := func(context.Context) error { return fixture.ErrStore }
	for _, tt := range []struct {
		name  string
		store store.Store
		load  error
		want  error
	}{
		{"by a store that can", pinger{s, func(context.Context) error { return nil }}, fixture.ErrStore, nil},
		{"by a store that can, and fails", pinger{s, failing}, nil, fixture.ErrStore},
		{"by a load", s, nil, nil},
		{"by a load, behind a store that only might", pinger{s, func(context.Context) error { return errors.ErrUnsupported }}, nil, nil},
		{"by a load that fails", s, fixture.ErrStore, fixture.ErrStore},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.Broken.Mend()
			if tt.load != nil {
				s.Broken.Fail(tt.load, sessiontest.Load)
			}
			err := fixture.NewManagerOn(t, tt.store, nil).Ping(t.Context())
			expect.Is(t, "Ping", err, tt.want)
			if tt.want != nil {
				expect.Is(t, "Ping", err, session.ErrUnavailable)
			}
		})
	}
}

func TestPingEndsWithTheStoreTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hanging := pinger{fixture.NewStore(), func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }}
		m := fixture.NewManagerOn(t, hanging, &session.Config{StoreTimeout: 3 * time.Second})
		start := time.Now()
		err := m.Ping(t.Context())
		expect.Equal(t, "waited", time.Since(start), 3*time.Second)
		expect.Is(t, "Ping", err, context.DeadlineExceeded)
		expect.Is(t, "Ping", err, session.ErrUnavailable)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		expect.Equal(t, "Ping with a context that is done ends", errors.Is(m.Ping(ctx), context.Canceled), true)
	})
}
