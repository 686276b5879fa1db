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
	"github.com/lazysession/session/store/mem"
)

const day = 24 * time.Hour

func TestRemember(t *testing.T) {
	for _, tt := range []struct {
		name    string
		age     time.Duration // of the session when Remember is called
		visited bool          // every 20 minutes until then
		before  func(s *session.Session) error
	}{
		{name: "a new session"},
		{name: "one that is young", age: 29 * time.Minute},
		{name: "one that is near its end", age: day - 10*time.Minute, visited: true},
		{name: "one that was remembered for longer", age: day, before: func(s *session.Session) error { return s.Remember(90 * day) }},
		{name: "one with settings of its own", before: func(s *session.Session) error {
			return errors.Join(s.SetIdleTimeout(time.Minute), s.SetLifetime(time.Hour), s.Persist(false))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, _ := fixture.NewManager(t, nil) // on a store that needs no sweeping
				v := fixture.NewVisitor(t, m)
				if tt.age > 0 || tt.before != nil {
					v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
				}
				if tt.before != nil {
					v.Visit(func(ctx context.Context) { expect.OK(t, tt.before(session.FromContext(ctx))) })
				}
				for slept := time.Duration(0); slept < tt.age; slept += 20 * time.Minute {
					time.Sleep(min(20*time.Minute, tt.age-slept))
					if tt.visited {
						v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann") })
					}
				}
				res := v.Visit(func(ctx context.Context) {
					expect.OK(t, fixture.User.Set(ctx, "ann"))
					expect.OK(t, session.FromContext(ctx).Remember(30*day))
				})
				if len(res.Cookies()) != 1 || res.Cookies()[0].MaxAge != int((30*day).Seconds()) {
					t.Errorf("cookies: got %v, want one for 30 days", res.Cookies())
				}
				time.Sleep(30*day - time.Second)
				v.Clone().Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann") })
				time.Sleep(2 * time.Second)
				v.Clone().Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "") })
			})
		})
	}
}

func TestRememberRefuses(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	for _, d := range []time.Duration{0, -day, 101 * 365 * day} {
		v.Visit(func(ctx context.Context) {
			if session.FromContext(ctx).Remember(d) == nil {
				t.Errorf("Remember(%v): got no error", d)
			}
		})
	}
	expect.OK(t, noCookie(v))
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	v.Stream(func(ctx context.Context, begin func()) {
		begin()
		expect.Is(t, "Remember after the response began", session.FromContext(ctx).Remember(day), session.ErrTooLate)
		info, err := session.FromContext(ctx).Info()
		expect.OK(t, err)
		expect.Equal(t, "idle timeout", info.IdleTimeout, 30*time.Minute)
	})
	v.Visit(func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).End()) })
	v.Visit(func(ctx context.Context) {
		s := session.FromContext(ctx)
		expect.OK(t, errors.Join(s.Remember(100*365*day), s.Commit(ctx), s.Remember(100*365*day), s.Commit(ctx)))
		info, err := s.Info()
		expect.OK(t, err)
		expect.Equal(t, "lifetime", info.Lifetime, 100*365*day)
	})
}

func noCookie(v *fixture.Visitor) error {
	if v.Cookie() != nil {
		return errors.New("a session was made")
	}
	return nil
}

// Either line alone is more often forgotten than meant.
func TestNewTellsOfAnIdleTimeoutBeyondTheLifetime(t *testing.T) {
	for _, tt := range []struct {
		name           string
		idle, lifetime time.Duration
		says           string // nothing: no mistake
		wantIdle       time.Duration
	}{
		{"beyond the lifetime", 2 * time.Hour, time.Hour, "session: IdleTimeout of 2h0m0s is beyond Lifetime (1h0m0s)", 0},
		{"beyond the default lifetime", 30 * day, 0, "is beyond Lifetime (24h0m0s, the default)", 0},
		{"equal to the lifetime", time.Hour, time.Hour, "", time.Hour},
		{"by default, with a short lifetime", 0, 10 * time.Minute, "", 10 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := session.New(mem.New(nil), &session.Config{IdleTimeout: tt.idle, Lifetime: tt.lifetime})
			if tt.says != "" {
				expect.Text(t, err, tt.says)
				return
			}
			expect.OK(t, err)
			defer m.Close()
			s, err := m.Create(t.Context())
			expect.OK(t, err)
			info, err := s.Info()
			expect.OK(t, err)
			expect.Equal(t, "idle timeout", info.IdleTimeout, tt.wantIdle)
		})
	}
}
