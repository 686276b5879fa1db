package promises_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store"
)

// If a session ends during a request, the response of that request does not set its cookie again.
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

// A login may shorten the idle timeout of an old session. The new timeout counts from now, so the session does not end.
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

func TestRetiredTokenIsForgottenAfterTwoMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := fixture.FirstVisitor(t, nil)
		v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
		old := v.Clone()
		v.Visit(func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).Renew()) })
		time.Sleep(store.RetiredFor - time.Second)
		old.Visit(func(ctx context.Context) { expect.Is(t, "Set", fixture.User.Set(ctx, "bob"), session.ErrEnded) })
		time.Sleep(2 * time.Second)
		old.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "bob")) })
		v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann") })
	})
}

func TestTwoRenewalsOneWins(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	const logins = 8
	var loaded, done sync.WaitGroup
	loaded.Add(logins)
	tabs := make([]*fixture.Visitor, logins)
	statuses := make([]int, logins)
	for i := range tabs {
		tabs[i] = v.Clone()
		done.Go(func() {
			res := tabs[i].Visit(func(ctx context.Context) {
				session.FromContext(ctx).Renew()
				loaded.Done()
				loaded.Wait()
			})
			statuses[i] = res.StatusCode
		})
	}
	done.Wait()
	won := 0
	for i, tab := range tabs {
		renewed := tab.Cookie().Value != v.Cookie().Value
		if renewed {
			won++
			tab.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann") })
		}
		if want := map[bool]int{true: 200, false: 409}[renewed]; statuses[i] != want {
			t.Errorf("renewed %v: got status %d, want %d", renewed, statuses[i], want)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d renewals won, want 1", won, logins)
	}
}
