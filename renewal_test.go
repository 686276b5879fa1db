package session_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/lazysession/session"
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
		{"applied, and the load fails", true, errStore, 503, true, "bob"},
		{"not applied, and the load fails: the visitor logs in again", false, errStore, 503, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, s := newManager(t, nil)
			v := &visitor{t: t, m: m}
			v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
			lossy := &losesReply{Store: s.Store, applies: tt.applied, thenLoad: tt.load}
			s.take()
			res := v.visit(func(ctx context.Context) {
				must(t, session.FromContext(ctx).Renew())
				must(t, user.Set(ctx, "bob"))
				s.Store = lossy
			})
			s.Store = lossy.Store
			check(t, "status", res.StatusCode, tt.status)
			check(t, "cookies", len(res.Cookies()) == 1, tt.cookie)
			check(t, "store calls", s.take(), calls{loads: 2, commits: 1})
			v.visit(func(ctx context.Context) { wantValue(t, ctx, user, tt.after) })
			v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "carol")) })
			v.visit(func(ctx context.Context) { wantValue(t, ctx, user, "carol") })
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
		m, s := newManager(t, nil)
		v := &visitor{t: t, m: m}
		v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
		lossy := &losesReply{Store: s.Store, applies: applied, thenLoad: errStore}
		res := v.visit(func(ctx context.Context) {
			request := session.FromContext(ctx)
			must(t, request.Renew())
			must(t, user.Set(ctx, "bob"))
			s.Store = lossy
			checkErr(t, "Commit", request.Commit(ctx), session.ErrUnavailable)
			checkErr(t, "Reload while loads fail", request.Reload(ctx), session.ErrUnavailable)
			s.Store = lossy.Store
			must(t, request.Reload(ctx))
			wantValue(t, ctx, user, map[bool]string{true: "bob", false: "ann"}[applied])
			if !applied {
				must(t, request.Renew())
				must(t, user.Set(ctx, "bob"))
				must(t, request.Commit(ctx))
			}
		})
		check(t, "status", res.StatusCode, http.StatusOK)
		check(t, "cookies", len(res.Cookies()), 1)
		v.visit(func(ctx context.Context) { wantValue(t, ctx, user, "bob") })
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
			m, _ := newManager(t, nil)
			v := &visitor{t: t, m: m}
			v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
			for _, ends := range []bool{false, true} {
				res := v.clone().visit(func(ctx context.Context) {
					request := session.FromContext(ctx)
					must(t, tt.do(ctx, request))
					_, err := user.Update(ctx, func(string) (string, error) { return "bob", nil })
					must(t, err)
					if ends {
						must(t, m.End(ctx, request.ID()))
					} else {
						token, err := request.Token()
						must(t, err)
						v.cookie = &http.Cookie{Name: v.cookie.Name, Value: token}
					}
				})
				check(t, "status", res.StatusCode, http.StatusOK)
				check(t, "cookies", len(res.Cookies()), map[bool]int{false: 1, true: 0}[ends])
			}
		})
	}
	t.Run("a store that does not answer keeps the visitor in", func(t *testing.T) {
		m, s := newManager(t, nil)
		v := &visitor{t: t, m: m}
		v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
		res := v.visit(func(ctx context.Context) {
			must(t, session.FromContext(ctx).Renew())
			must(t, session.FromContext(ctx).Commit(ctx))
			s.onLoad = fail
		})
		s.onLoad = nil
		check(t, "cookies", len(res.Cookies()), 1)
		v.visit(func(ctx context.Context) { wantValue(t, ctx, user, "ann") })
	})
}

// A login that shortens the idle time of an old session does not end it: the new time counts from now.
func TestShorterIdleTimeoutCountsFromNow(t *testing.T) {
	m, s := newManager(t, &session.Config{IdleTimeout: 24 * time.Hour})
	v := &visitor{t: t, m: m}
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	s.advance(time.Hour)
	v.visit(func(ctx context.Context) {
		must(t, session.FromContext(ctx).Renew())
		must(t, session.FromContext(ctx).SetIdleTimeout(15*time.Minute))
	})
	v.visit(func(ctx context.Context) { wantValue(t, ctx, user, "ann") })
	s.advance(14 * time.Minute)
	v.visit(func(ctx context.Context) { wantValue(t, ctx, user, "ann") })
	s.advance(16 * time.Minute)
	v.visit(func(ctx context.Context) { wantValue(t, ctx, user, "") })
}
