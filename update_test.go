package session_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// What f itself does to the value, or to the record below it, makes what it has seen stale: it runs again.
func TestUpdateWhoseFunctionUsesTheSession(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(ctx context.Context) error
		want string
	}{
		{"sets the same value", func(ctx context.Context) error { return user.Set(ctx, "bob") }, "bob!"},
		{"deletes it", func(ctx context.Context) error { return user.Delete(ctx) }, "!"},
		{"sets another value", func(ctx context.Context) error { return color.Set(ctx, "red") }, "ann!"},
		{"commits", func(ctx context.Context) error {
			must(t, user.Set(ctx, "bob"))
			return session.FromContext(ctx).Commit(ctx)
		}, "bob!"},
		{"reloads what another has set", func(ctx context.Context) error { return session.FromContext(ctx).Reload(ctx) }, "carol!"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVisitor(t, nil)
			v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
			v.visit(func(ctx context.Context) {
				first := true
				got, err := user.Update(ctx, func(name string) (string, error) {
					if first && tt.want == "carol!" {
						v.clone().visit(func(ctx context.Context) { must(t, user.Set(ctx, "carol")) })
					}
					if first {
						must(t, tt.do(ctx))
					}
					first = false
					return name + "!", nil
				})
				must(t, err)
				check(t, "result", got, tt.want)
			})
			v.visit(func(ctx context.Context) { wantValue(t, ctx, user, tt.want) })
		})
	}
}

// An Update that sets its own value each time gives up.
func TestUpdateThatNeverSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisitor(t, nil)
		v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
		res := v.visit(func(ctx context.Context) {
			_, err := user.Update(ctx, func(name string) (string, error) { return "bob", user.Set(ctx, name+"+") })
			checkErr(t, "Update", err, session.ErrConflict)
		})
		check(t, "status", res.StatusCode, http.StatusConflict)
	})
}

func TestUpdateBeyondMaxBytes(t *testing.T) {
	v := newVisitor(t, &session.Config{MaxBytes: 40})
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	v.visit(func(ctx context.Context) {
		must(t, user.Set(ctx, "bob"))
		_, err := user.Update(ctx, func(name string) (string, error) { return strings.Repeat(name, 20), nil })
		checkErr(t, "Update", err, session.ErrTooLarge)
		wantValue(t, ctx, user, "bob") // what it was
		session.FromContext(ctx).Degrade()
	})
	v.visit(func(ctx context.Context) { wantValue(t, ctx, user, "bob") })
}

// A pause ends with the context, and says why it was done.
func TestUpdateStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisitor(t, nil)
		v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
		gone := errors.New("gone")
		tries := 0
		res := v.visit(func(ctx context.Context) {
			cancelled, cancel := context.WithCancelCause(ctx)
			_, err := user.Update(cancelled, func(name string) (string, error) {
				v.clone().visit(func(ctx context.Context) { must(t, user.Set(ctx, name+"+")) })
				if tries++; tries == 2 {
					cancel(gone)
				}
				return name, nil
			})
			checkErr(t, "Update", err, gone)
		})
		check(t, "tries", tries, 2)
		check(t, "status", res.StatusCode, http.StatusInternalServerError)
	})
}

// Others may change everything else of the session, each time, and take none of the tries.
func TestUpdateDoesNotStarveBesideOtherValues(t *testing.T) {
	v := newVisitor(t, nil)
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	v.visit(func(ctx context.Context) {
		tries := 0
		_, err := user.Update(ctx, func(name string) (string, error) {
			tries++
			v.clone().visit(func(ctx context.Context) {
				hits.Add(ctx, 1)
				must(t, color.Set(ctx, "red"))
				must(t, session.FromContext(ctx).SetOwner("ann"))
			})
			return name + "!", nil
		})
		must(t, err)
		check(t, "tries", tries, 1)
	})
	v.visit(func(ctx context.Context) {
		wantValue(t, ctx, user, "ann!")
		wantValue(t, ctx, color, "red")
	})
}

// After a loss the record is read after the pause: one from before it would only lose again.
func TestUpdateReadsAfterItsPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // its clock stands still but for the pauses
		m, s := newManager(t, nil)
		v := &visitor{t: t, m: m}
		v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "")) })
		start, paused := time.Now(), 0
		watched := &watchesAge{Store: s.Store}
		s.Store = watched
		v.visit(func(ctx context.Context) {
			_, err := user.Update(ctx, func(name string) (string, error) {
				if age := time.Since(watched.loaded); age != 0 {
					t.Errorf("try with a record that is %v old", age)
				}
				if paused < 5 {
					paused++
					s.Store = watched.Store
					v.clone().visit(func(ctx context.Context) { must(t, user.Set(ctx, name+"+")) })
					s.Store = watched
				}
				return name + "!", nil
			})
			must(t, err)
		})
		check(t, "there were pauses", time.Since(start) > 0, true)
		v.visit(func(ctx context.Context) { wantValue(t, ctx, user, "+++++!") })
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
	v := newVisitor(t, nil)
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	res := v.visit(func(ctx context.Context) {
		_, err := user.Update(ctx, func(string) (string, error) {
			v.clone().visit(func(ctx context.Context) { must(t, session.FromContext(ctx).End()) })
			return "bob", nil
		})
		checkErr(t, "Update", err, session.ErrEnded)
	})
	check(t, "status", res.StatusCode, http.StatusConflict)
	check(t, "cookies", len(res.Cookies()), 0)
}

// The second chance of a session that has failed.
func TestReloadOfASession(t *testing.T) {
	ended := func(v *visitor) {
		v.clone().visit(func(ctx context.Context) { must(v.t, session.FromContext(ctx).End()) })
	}
	for _, tt := range []struct {
		name   string
		before func(v *visitor, s *spy, ctx context.Context)
		want   error
		after  string
	}{
		{"that was ended here", func(v *visitor, _ *spy, ctx context.Context) {
			must(v.t, session.FromContext(ctx).End())
		}, session.ErrEnded, ""},
		{"that was ended elsewhere", func(v *visitor, _ *spy, ctx context.Context) {
			wantValue(v.t, ctx, user, "ann")
			ended(v)
		}, session.ErrEnded, ""},
		{"that has failed, with the store still down", func(v *visitor, s *spy, ctx context.Context) {
			s.onLoad = fail
			user.Get(ctx)
		}, session.ErrUnavailable, ""},
		{"that is live, with the store down", func(v *visitor, s *spy, ctx context.Context) {
			wantValue(v.t, ctx, user, "ann")
			s.onLoad = fail
		}, session.ErrUnavailable, "ann"},
		{"that another has changed", func(v *visitor, _ *spy, ctx context.Context) {
			wantValue(v.t, ctx, user, "ann")
			v.clone().visit(func(ctx context.Context) { must(v.t, user.Set(ctx, "bob")) })
		}, nil, "bob"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, s := newManager(t, nil)
			v := &visitor{t: t, m: m}
			v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
			v.visit(func(ctx context.Context) {
				tt.before(v, s, ctx)
				checkErr(t, "Reload", session.FromContext(ctx).Reload(ctx), tt.want)
				got, _ := user.Get(ctx)
				check(t, "user", got, tt.after)
			})
			checkErr(t, "Reload without the middleware", session.FromContext(t.Context()).Reload(t.Context()), session.ErrNoMiddleware)
		})
	}
}

// Between Renew and the commit, Token is the one that will be live.
func TestTokenBetweenRenewAndCommit(t *testing.T) {
	m := newManagerOn(t, mem.New(nil), nil)
	s, err := m.Create(t.Context())
	must(t, err)
	before, err := s.Token()
	must(t, err)
	must(t, s.Renew())
	next, err := s.Token()
	must(t, err)
	_, err = m.Open(t.Context(), next)
	checkErr(t, "opening it before the commit", err, session.ErrEnded)
	must(t, s.Commit(t.Context()))
	_, err = m.Open(t.Context(), next)
	checkErr(t, "opening it after the commit", err, nil)
	_, err = m.Open(t.Context(), before)
	checkErr(t, "opening the one before", err, session.ErrEnded)
}

// Any method may run beside any other, also while the header is written.
func TestReloadBesideEverything(t *testing.T) {
	m := newManagerOn(t, mem.New(nil), nil)
	c := newVisitorWith(t, m, "red")
	for range 50 {
		c.use(func(w http.ResponseWriter, r *http.Request) {
			ctx, s := r.Context(), session.FromContext(r.Context())
			start := make(chan struct{})
			var wg sync.WaitGroup
			for _, f := range []func(){
				func() { s.Reload(ctx) }, func() { s.Reload(ctx) }, func() { s.Commit(ctx) }, func() { color.Get(ctx) },
				func() { color.Set(ctx, "blue") }, func() { visits.Add(ctx, 1) }, func() { s.Renew() }, func() { s.Info() },
				func() { s.Degrade() }, func() { user.Update(ctx, func(string) (string, error) { return "ann", nil }) },
				func() { w.Write([]byte("hello")) },
			} {
				wg.Go(func() { <-start; f() })
			}
			close(start)
			wg.Wait()
		}, m).get("/")
	}
}
