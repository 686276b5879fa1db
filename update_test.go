package session_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// If f itself changes the value or reloads the record, the value that it got is stale, and it runs again.
func TestUpdateWhoseFunctionUsesTheSession(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(ctx context.Context) error
		want string
	}{
		{"sets the same value", func(ctx context.Context) error { return fixture.User.Set(ctx, "bob") }, "bob!"},
		{"deletes it", func(ctx context.Context) error { return fixture.User.Delete(ctx) }, "!"},
		{"sets another value", func(ctx context.Context) error { return fixture.Color.Set(ctx, "red") }, "ann!"},
		{"commits", func(ctx context.Context) error {
			expect.OK(t, fixture.User.Set(ctx, "bob"))
			return session.FromContext(ctx).Commit(ctx)
		}, "bob!"},
		{"reloads what another has set", func(ctx context.Context) error {
			return session.FromContext(ctx).Reload(ctx)
		}, "carol!"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := fixture.FirstVisitor(t, nil)
			v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
			v.Visit(func(ctx context.Context) {
				first := true
				got, err := fixture.User.Update(ctx, func(name string) (string, error) {
					if first && tt.want == "carol!" {
						v.Clone().Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "carol")) })
					}
					if first {
						expect.OK(t, tt.do(ctx))
					}
					first = false
					return name + "!", nil
				})
				expect.OK(t, err)
				expect.Equal(t, "result", got, tt.want)
			})
			v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, tt.want) })
		})
	}
}

// An Update whose function always changes the value gives up.
func TestUpdateThatNeverSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := fixture.FirstVisitor(t, nil)
		v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
		res := v.Visit(func(ctx context.Context) {
			_, err := fixture.User.Update(ctx, func(name string) (string, error) {
				return "bob", fixture.User.Set(ctx, name+"+")
			})
			expect.Is(t, "Update", err, session.ErrConflict)
		})
		expect.Equal(t, "status", res.StatusCode, http.StatusConflict)
	})
}

func TestUpdateBeyondMaxBytes(t *testing.T) {
	v := fixture.FirstVisitor(t, &session.Config{MaxBytes: 40})
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	v.Visit(func(ctx context.Context) {
		expect.OK(t, fixture.User.Set(ctx, "bob"))
		_, err := fixture.User.Update(ctx, func(name string) (string, error) { return strings.Repeat(name, 20), nil })
		expect.Is(t, "Update", err, session.ErrTooLarge)
		fixture.Holds(t, ctx, fixture.User, "bob") // what it was
		session.FromContext(ctx).Degrade()
	})
	v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "bob") })
}

// A pause ends when the context is done, and Update returns the cause.
func TestUpdateStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := fixture.FirstVisitor(t, nil)
		v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
		gone := errors.New("gone")
		tries := 0
		res := v.Visit(func(ctx context.Context) {
			cancelled, cancel := context.WithCancelCause(ctx)
			_, err := fixture.User.Update(cancelled, func(name string) (string, error) {
				v.Clone().Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, name+"+")) })
				if tries++; tries == 2 {
					cancel(gone)
				}
				return name, nil
			})
			expect.Is(t, "Update", err, gone)
		})
		expect.Equal(t, "tries", tries, 2)
		expect.Equal(t, "status", res.StatusCode, http.StatusInternalServerError)
	})
}

// Changes of other values use up none of the tries.
func TestUpdateDoesNotStarveBesideOtherValues(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	v.Visit(func(ctx context.Context) {
		tries := 0
		_, err := fixture.User.Update(ctx, func(name string) (string, error) {
			tries++
			v.Clone().Visit(func(ctx context.Context) {
				fixture.Hits.Add(ctx, 1)
				expect.OK(t, fixture.Color.Set(ctx, "red"))
				expect.OK(t, session.FromContext(ctx).SetOwner("ann"))
			})
			return name + "!", nil
		})
		expect.OK(t, err)
		expect.Equal(t, "tries", tries, 1)
	})
	v.Visit(func(ctx context.Context) {
		fixture.Holds(t, ctx, fixture.User, "ann!")
		fixture.Holds(t, ctx, fixture.Color, "red")
	})
}

// After a conflict, Update reads the record after its pause, since an older record would only conflict again.
func TestUpdateReadsAfterItsPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // its clock stands still but for the pauses
		m, s := fixture.NewManager(t, nil)
		v := fixture.NewVisitor(t, m)
		v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "")) })
		start, paused := time.Now(), 0
		watched := &watchesAge{Store: s.Store}
		s.Store = watched
		v.Visit(func(ctx context.Context) {
			_, err := fixture.User.Update(ctx, func(name string) (string, error) {
				if age := time.Since(watched.loaded); age != 0 {
					t.Errorf("try with a record that is %v old", age)
				}
				if paused < 5 {
					paused++
					s.Store = watched.Store
					v.Clone().Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, name+"+")) })
					s.Store = watched
				}
				return name + "!", nil
			})
			expect.OK(t, err)
		})
		expect.Equal(t, "there were pauses", time.Since(start) > 0, true)
		v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "+++++!") })
	})
}

// A watchesAge knows when it was last asked for a record.
type watchesAge struct {
	store.Store
	loaded time.Time
}

func (s *watchesAge) Load(ctx context.Context, token store.Token) (*store.Record, error) {
	s.loaded = time.Now()
	return s.Store.Load(ctx, token)
}

func TestUpdateOfASessionThatEnds(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	res := v.Visit(func(ctx context.Context) {
		_, err := fixture.User.Update(ctx, func(string) (string, error) {
			v.Clone().Visit(func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).End()) })
			return "bob", nil
		})
		expect.Is(t, "Update", err, session.ErrEnded)
	})
	expect.Equal(t, "status", res.StatusCode, http.StatusConflict)
	expect.Equal(t, "cookies", len(res.Cookies()), 0)
}

// Reload makes a session that has failed usable again.
func TestReloadOfASession(t *testing.T) {
	ended := func(v *fixture.Visitor) {
		v.Clone().Visit(func(ctx context.Context) { expect.OK(v.T, session.FromContext(ctx).End()) })
	}
	for _, tt := range []struct {
		name   string
		before func(v *fixture.Visitor, s *fixture.Store, ctx context.Context)
		want   error
		after  string
	}{
		{"that was ended here", func(v *fixture.Visitor, _ *fixture.Store, ctx context.Context) {
			expect.OK(v.T, session.FromContext(ctx).End())
		}, session.ErrEnded, ""},
		{"that was ended elsewhere", func(v *fixture.Visitor, _ *fixture.Store, ctx context.Context) {
			fixture.Holds(v.T, ctx, fixture.User, "ann")
			ended(v)
		}, session.ErrEnded, ""},
		{"that has failed, with the store still down", func(v *fixture.Visitor, s *fixture.Store, ctx context.Context) {
			s.Broken.Fail(fixture.ErrStore, sessiontest.Load)
			fixture.User.Get(ctx)
		}, session.ErrUnavailable, ""},
		{"that is live, with the store down", func(v *fixture.Visitor, s *fixture.Store, ctx context.Context) {
			fixture.Holds(v.T, ctx, fixture.User, "ann")
			s.Broken.Fail(fixture.ErrStore, sessiontest.Load)
		}, session.ErrUnavailable, "ann"},
		{"that another has changed", func(v *fixture.Visitor, _ *fixture.Store, ctx context.Context) {
			fixture.Holds(v.T, ctx, fixture.User, "ann")
			v.Clone().Visit(func(ctx context.Context) { expect.OK(v.T, fixture.User.Set(ctx, "bob")) })
		}, nil, "bob"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, s := fixture.NewManager(t, nil)
			v := fixture.NewVisitor(t, m)
			v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
			v.Visit(func(ctx context.Context) {
				tt.before(v, s, ctx)
				expect.Is(t, "Reload", session.FromContext(ctx).Reload(ctx), tt.want)
				got, _ := fixture.User.Get(ctx)
				expect.Equal(t, "user", got, tt.after)
			})
			expect.Is(t, "Reload without the middleware", session.FromContext(t.Context()).Reload(t.Context()),
				session.ErrNoMiddleware)
		})
	}
}

// Between Renew and the commit, Token returns the token that the commit will make live.
func TestTokenBetweenRenewAndCommit(t *testing.T) {
	m := fixture.NewManagerOn(t, mem.New(nil), nil)
	s, err := m.Create(t.Context())
	expect.OK(t, err)
	before, err := s.Token()
	expect.OK(t, err)
	expect.OK(t, s.Renew())
	next, err := s.Token()
	expect.OK(t, err)
	_, err = m.Open(t.Context(), next)
	expect.Is(t, "opening it before the commit", err, session.ErrEnded)
	expect.OK(t, s.Commit(t.Context()))
	_, err = m.Open(t.Context(), next)
	expect.Is(t, "opening it after the commit", err, nil)
	_, err = m.Open(t.Context(), before)
	expect.Is(t, "opening the one before", err, session.ErrEnded)
}

func TestUpdate(t *testing.T) {
	t.Run("an error of the function changes nothing", func(t *testing.T) {
		v := fixture.FirstVisitor(t, nil)
		v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
		boom := errors.New("boom")
		v.Visit(func(ctx context.Context) {
			_, err := fixture.User.Update(ctx, func(string) (string, error) { return "bob", boom })
			expect.Is(t, "Update", err, boom)
			fixture.Holds(t, ctx, fixture.User, "ann")
		})
		v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann") })
	})
	t.Run("is stored when it returns", func(t *testing.T) {
		v := fixture.FirstVisitor(t, nil)
		v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
		v.Visit(func(ctx context.Context) {
			_, err := fixture.User.Update(ctx, func(s string) (string, error) { return s + "a", nil })
			expect.OK(t, err)
			v.Clone().Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "anna") })
		})
	})
	t.Run("may use the session", func(t *testing.T) {
		v := fixture.FirstVisitor(t, nil)
		v.Visit(func(ctx context.Context) {
			_, err := fixture.User.Update(ctx, func(string) (string, error) {
				_, err := fixture.Hits.Add(ctx, 1)
				return "ann", err
			})
			expect.OK(t, err)
			fixture.Holds(t, ctx, fixture.User, "ann")
		})
	})
	t.Run("takes along what this request has changed", func(t *testing.T) {
		v := fixture.FirstVisitor(t, nil)
		v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
		v.Visit(func(ctx context.Context) {
			fixture.Hits.Add(ctx, 1)
			tries := 0
			got, err := fixture.User.Update(ctx, func(s string) (string, error) {
				if tries++; tries == 1 {
					v.Clone().Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "bob")) })
				}
				return s + "!", nil
			})
			expect.OK(t, err)
			if got != "bob!" || tries != 2 {
				t.Errorf("got %q after %d tries, want bob! after 2", got, tries)
			}
		})
		v.Visit(func(ctx context.Context) {
			fixture.Holds(t, ctx, fixture.User, "bob!")
			if n, _ := fixture.Hits.Get(ctx); n != 1 {
				t.Errorf("hits: got %d, want 1", n)
			}
		})
	})
	t.Run("gives up as a conflict", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { // for the pauses between its tries
			v := fixture.FirstVisitor(t, nil)
			v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
			v.Visit(func(ctx context.Context) {
				_, err := fixture.User.Update(ctx, func(string) (string, error) {
					v.Clone().Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Sub("of another").Set(ctx, "x")) })
					other := v.Clone()
					other.Visit(func(ctx context.Context) {
						name, err := fixture.User.Get(ctx)
						expect.OK(t, err)
						expect.OK(t, fixture.User.Set(ctx, name+"+"))
					})
					return "bob", nil
				})
				expect.Is(t, "Update", err, session.ErrConflict)
				session.FromContext(ctx).Degrade()
			})
			v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann"+strings.Repeat("+", 100)) })
		})
	})
}
