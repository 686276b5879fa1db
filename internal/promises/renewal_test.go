package promises_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store"
)

// The reply to a login's commit is lost. One load finds out what became of it, and the visitor is never locked out.
func TestLostReplyOfARenewal(t *testing.T) {
	for _, tt := range []struct {
		name    string
		applied bool // what the store did with the commit
		load    error
		status  int
		cookie  bool // whether the client is told of the new token
		after   string
	}{
		{"applied, found by its new token", true, nil, 200, true, "bob"},
		{"not applied: the old token lives", false, nil, 503, false, "ann"},
		{"applied, and the load fails", true, fixture.ErrStore, 503, true, "bob"},
		{"not applied, and the load fails: the visitor logs in again", false, fixture.ErrStore, 503, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, s := fixture.NewManager(t, nil)
			v := fixture.NewVisitor(t, m)
			v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
			lossy := &losesReply{Store: s.Store, applies: tt.applied, thenLoad: tt.load}
			s.Take()
			res := v.Visit(func(ctx context.Context) {
				expect.OK(t, session.FromContext(ctx).Renew())
				expect.OK(t, fixture.User.Set(ctx, "bob"))
				s.Store = lossy
			})
			s.Store = lossy.Store
			expect.Equal(t, "status", res.StatusCode, tt.status)
			expect.Equal(t, "cookies", len(res.Cookies()) == 1, tt.cookie)
			expect.Equal(t, "store calls", s.Take(), fixture.Calls{Loads: 2, Commits: 1})
			v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, tt.after) })
			v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "carol")) })
			v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "carol") })
		})
	}
}

// A losesReply answers each commit with an error, whether it has applied it or not, and from then on each load with
// another.
type losesReply struct {
	store.Store
	applies  bool
	thenLoad error
	lost     bool
}

func (s *losesReply) Commit(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
	s.lost = true
	if s.applies {
		if _, err := s.Store.Commit(ctx, token, c); err != nil {
			return nil, err
		}
	}
	return nil, store.ErrOutcomeUnknown
}

func (s *losesReply) Load(ctx context.Context, token store.Token) (*store.Record, error) {
	if s.lost && s.thenLoad != nil {
		return nil, s.thenLoad
	}
	return s.Store.Load(ctx, token)
}

// A handler that commits by itself may reload, and goes on with the token that turns out to be live.
func TestReloadAfterALostRenewal(t *testing.T) {
	for _, applied := range []bool{true, false} {
		m, s := fixture.NewManager(t, nil)
		v := fixture.NewVisitor(t, m)
		v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
		lossy := &losesReply{Store: s.Store, applies: applied, thenLoad: fixture.ErrStore}
		res := v.Visit(func(ctx context.Context) {
			request := session.FromContext(ctx)
			expect.OK(t, request.Renew())
			expect.OK(t, fixture.User.Set(ctx, "bob"))
			s.Store = lossy
			expect.Is(t, "Commit", request.Commit(ctx), session.ErrUnavailable)
			expect.Is(t, "Reload while loads fail", request.Reload(ctx), session.ErrUnavailable)
			s.Store = lossy.Store
			expect.OK(t, request.Reload(ctx))
			fixture.Holds(t, ctx, fixture.User, map[bool]string{true: "bob", false: "ann"}[applied])
			if !applied {
				expect.OK(t, request.Renew())
				expect.OK(t, fixture.User.Set(ctx, "bob"))
				expect.OK(t, request.Commit(ctx))
			}
		})
		expect.Equal(t, "status", res.StatusCode, http.StatusOK)
		expect.Equal(t, "cookies", len(res.Cookies()), 1)
		v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "bob") })
	}
}

// The response that made a lasting cookie comes after another that removed it: it must not bring it back.
func TestEndedMeanwhileIsNotBroughtBack(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(ctx context.Context, s *session.Session) error
	}{
		{"Persist", func(_ context.Context, s *session.Session) error { return s.Persist(true) }},
		{"SetLifetime", func(_ context.Context, s *session.Session) error { return s.SetLifetime(time.Hour) }},
		{"Renew", func(_ context.Context, s *session.Session) error { return s.Renew() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, _ := fixture.NewManager(t, nil)
			v := fixture.NewVisitor(t, m)
			v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
			for _, ends := range []bool{false, true} {
				res := v.Clone().Visit(func(ctx context.Context) {
					request := session.FromContext(ctx)
					expect.OK(t, tt.do(ctx, request))
					_, err := fixture.User.Update(ctx, func(string) (string, error) { return "bob", nil })
					expect.OK(t, err)
					if ends {
						expect.OK(t, m.End(ctx, request.ID()))
					} else {
						token, err := request.Token()
						expect.OK(t, err)
						v.Receive(&http.Cookie{Name: v.Cookie().Name, Value: token})
					}
				})
				expect.Equal(t, "status", res.StatusCode, http.StatusOK)
				expect.Equal(t, "cookies", len(res.Cookies()), map[bool]int{false: 1, true: 0}[ends])
			}
		})
	}
	t.Run("a store that does not answer keeps the visitor in", func(t *testing.T) {
		m, s := fixture.NewManager(t, nil)
		v := fixture.NewVisitor(t, m)
		v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
		res := v.Visit(func(ctx context.Context) {
			expect.OK(t, session.FromContext(ctx).Renew())
			expect.OK(t, session.FromContext(ctx).Commit(ctx))
			s.Broken.Fail(fixture.ErrStore, sessiontest.Load)
		})
		s.Broken.Mend()
		expect.Equal(t, "cookies", len(res.Cookies()), 1)
		v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann") })
	})
}

// A login that shortens the idle time of an old session does not end it: the new time counts from now.
func TestShorterIdleTimeoutCountsFromNow(t *testing.T) {
	m, s := fixture.NewManager(t, &session.Config{IdleTimeout: 24 * time.Hour})
	v := fixture.NewVisitor(t, m)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	s.Clock.Advance(time.Hour)
	v.Visit(func(ctx context.Context) {
		expect.OK(t, session.FromContext(ctx).Renew())
		expect.OK(t, session.FromContext(ctx).SetIdleTimeout(15*time.Minute))
	})
	v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann") })
	s.Clock.Advance(14 * time.Minute)
	v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann") })
	s.Clock.Advance(16 * time.Minute)
	v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "") })
}
