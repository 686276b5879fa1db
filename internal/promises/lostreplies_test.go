package promises_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store"
)

// If the reply to a login's commit is lost, one load finds out whether it was applied. The visitor is never locked out.
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
			s.Take()
			res := v.Visit(func(ctx context.Context) {
				expect.OK(t, session.FromContext(ctx).Renew())
				expect.OK(t, fixture.User.Set(ctx, "bob"))
				loseReplies(s, tt.applied, tt.load)
			})
			mend(s)
			expect.Equal(t, "status", res.StatusCode, tt.status)
			expect.Equal(t, "cookies", len(res.Cookies()) == 1, tt.cookie)
			expect.Equal(t, "store calls", s.Take(), fixture.Calls{Loads: 2, Commits: 1})
			v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, tt.after) })
			v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "carol")) })
			v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "carol") })
		})
	}
}

// loseReplies makes each commit fail as if its reply was lost, applied or not. The loads that follow return thenLoad,
// or work if it is nil.
func loseReplies(s *fixture.Store, applied bool, thenLoad error) {
	if applied {
		s.Broken.LoseReplies(math.MaxInt)
	} else {
		s.Broken.Fail(store.ErrOutcomeUnknown, sessiontest.Commit, sessiontest.End)
	}
	s.OnLoad = func() error { return thenLoad }
}

// mend ends what loseReplies began.
func mend(s *fixture.Store) {
	s.Broken.Mend()
	s.OnLoad = nil
	s.Store = s.Broken
}

// A handler that commits may reload after a lost reply, and then has the token that is live.
func TestReloadAfterALostRenewal(t *testing.T) {
	for _, applied := range []bool{true, false} {
		m, s := fixture.NewManager(t, nil)
		v := fixture.NewVisitor(t, m)
		v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
		res := v.Visit(func(ctx context.Context) {
			request := session.FromContext(ctx)
			expect.OK(t, request.Renew())
			expect.OK(t, fixture.User.Set(ctx, "bob"))
			loseReplies(s, applied, fixture.ErrStore)
			expect.Is(t, "Commit", request.Commit(ctx), session.ErrUnavailable)
			expect.Is(t, "Reload while loads fail", request.Reload(ctx), session.ErrUnavailable)
			mend(s)
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

func TestReloadAfterUnknownOutcome(t *testing.T) {
	t.Run("of a session that ended", func(t *testing.T) {
		m, s := fixture.NewManager(t, nil)
		v := fixture.NewVisitor(t, m)
		v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
		res := v.Clone().Visit(func(ctx context.Context) {
			expect.OK(t, fixture.User.Set(ctx, "bob"))
			s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
			expect.Is(t, "Commit", session.FromContext(ctx).Commit(ctx), session.ErrUnavailable)
			s.Broken.Mend()
			v.Visit(func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).End()) })
			expect.Is(t, "Reload", session.FromContext(ctx).Reload(ctx), session.ErrEnded)
			expect.Is(t, "Set", fixture.User.Set(ctx, "bob"), session.ErrEnded)
		})
		expect.Equal(t, "status", res.StatusCode, http.StatusConflict)
		expect.Equal(t, "cookies", len(res.Cookies()), 0)
	})
	t.Run("of a session that was made", func(t *testing.T) {
		m, s := fixture.NewManager(t, nil)
		v := fixture.NewVisitor(t, m)
		v.Visit(func(ctx context.Context) {
			expect.OK(t, fixture.User.Set(ctx, "ann"))
			s.Broken.LoseReplies(1)
			expect.Is(t, "Commit", session.FromContext(ctx).Commit(ctx), session.ErrUnavailable)
			expect.OK(t, session.FromContext(ctx).Reload(ctx))
		})
		v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann") })
	})
}

// A token that is stored reaches the client even if a later commit fails. Otherwise the client would be locked out.
func TestStoredTokenIsToldWithTheError(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	v := fixture.NewVisitor(t, m)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	res := v.Visit(func(ctx context.Context) {
		expect.OK(t, session.FromContext(ctx).Renew())
		expect.OK(t, session.FromContext(ctx).Commit(ctx))
		expect.OK(t, fixture.User.Set(ctx, "bob"))
		s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	})
	s.Broken.Mend()
	expect.Equal(t, "status", res.StatusCode, http.StatusServiceUnavailable)
	v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann") })
}

// Every operation whose reply is lost, applied or not, with loads that work or fail afterwards.
func TestLostReplies(t *testing.T) {
	type op struct {
		name string
		had  bool // a session before
		do   func(ctx context.Context) error
		end  bool
	}
	get := session.FromContext
	ops := []op{
		{"creation", false, func(ctx context.Context) error { return fixture.User.Set(ctx, "bob") }, false},
		{"creation by Next", false, func(ctx context.Context) error {
			fixture.User.Set(ctx, "bob")
			_, err := fixture.Hits.Next(ctx)
			return err
		}, false},
		{"creation by Flash", false, func(ctx context.Context) error { return flashes.Add(ctx, "i", "x") }, false},
		{"creation by Update", false, func(ctx context.Context) error {
			_, err := fixture.User.Update(ctx, func(string) (string, error) { return "bob", nil })
			return err
		}, false},
		{"creation by Remember", false, func(ctx context.Context) error {
			fixture.User.Set(ctx, "bob")
			return get(ctx).Remember(time.Hour)
		}, false},
		{"renewal", true, func(ctx context.Context) error { fixture.User.Set(ctx, "bob"); return get(ctx).Renew() }, false},
		{"renewal by Next", true, func(ctx context.Context) error {
			get(ctx).Renew()
			_, err := fixture.Hits.Next(ctx)
			return err
		}, false},
		{"renewal by Update", true, func(ctx context.Context) error {
			get(ctx).Renew()
			_, err := fixture.User.Update(ctx, func(string) (string, error) { return "bob", nil })
			return err
		}, false},
		{"renewal by Commit", true, func(ctx context.Context) error {
			fixture.User.Set(ctx, "bob")
			get(ctx).Renew()
			return get(ctx).Commit(ctx)
		}, false},
		{"change", true, func(ctx context.Context) error {
			fixture.Hits.Add(ctx, 1)
			return fixture.User.Set(ctx, "bob")
		}, false},
		{"Next", true, func(ctx context.Context) error { _, err := fixture.Hits.Next(ctx); return err }, false},
		{"Update", true, func(ctx context.Context) error {
			fixture.Hits.Add(ctx, 1)
			_, err := fixture.User.Update(ctx, func(string) (string, error) { return "bob", nil })
			return err
		}, false},
		{"Flash", true, func(ctx context.Context) error { return flashes.Add(ctx, "i", "x") }, false},
		{"Remember", true, func(ctx context.Context) error { return get(ctx).Remember(1000 * time.Hour) }, false},
		{"end", true, func(ctx context.Context) error { return get(ctx).End() }, true},
		{"end and flash", true, func(ctx context.Context) error { get(ctx).End(); return flashes.Add(ctx, "i", "x") }, true},
	}
	for _, op := range ops {
		for _, applied := range []bool{true, false} {
			for _, load := range []error{nil, fixture.ErrStore} {
				for _, degrade := range []bool{false, true} {
					name := fmt.Sprintf("%s, applied %v, load %v, degrade %v", op.name, applied, load, degrade)
					m, s := fixture.NewManager(t, nil)
					v := fixture.NewVisitor(t, m)
					if op.had {
						v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")); fixture.Hits.Add(ctx, 1) })
					}
					var opErr error
					res := v.Visit(func(ctx context.Context) {
						session.FromContext(ctx).Exists()
						loseReplies(s, applied, load)
						if applied {
							s.Store = unheardEnd{s.Broken}
						}
						opErr = op.do(ctx)
						if degrade {
							session.FromContext(ctx).Degrade()
						}
					})
					mend(s)
					success := res.StatusCode < 400
					var count int64
					var who string
					var exists bool
					status := v.Visit(func(ctx context.Context) {
						count, _ = fixture.Hits.Get(ctx)
						who, _ = fixture.User.Get(ctx)
						exists, _ = session.FromContext(ctx).Exists()
					}).StatusCode
					login := v.Visit(func(ctx context.Context) {
						expect.OK(t, session.FromContext(ctx).Renew())
						fixture.User.Set(ctx, "carol")
					}).StatusCode
					var in string
					v.Visit(func(ctx context.Context) { in, _ = fixture.User.Get(ctx) })
					if login != 200 || in != "carol" {
						t.Errorf("%s: the visitor can't log in: %d %q", name, login, in)
					}
					if count > 2 {
						t.Errorf("%s: counted %d", name, count)
					}
					if changed := who == "bob" || count == 2; success && !degrade && !changed {
						t.Errorf("%s: success, but then status %d, user %q, hits %d, exists %v; error of the operation: %v",
							name, status, who, count, exists, opErr)
					}
				}
			}
		}
	}
}

// An unheardEnd is a store that ends sessions, and says that it failed.
type unheardEnd struct{ store.Store }

func (s unheardEnd) End(ctx context.Context, id store.ID, why store.Reason) error {
	return errors.Join(s.Store.End(ctx, id, why), fixture.ErrStore)
}
