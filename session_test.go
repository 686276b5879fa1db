package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

var (
	hits = session.NewCounter("hits")
	user = session.NewKey[string]("user")
	cart = session.NewKey[[]string]("cart")
)

// A visitor is a browser with one cookie: each visit sends it and keeps what the response says of it.
type visitor struct {
	t      *testing.T
	m      *session.Manager
	cookie *http.Cookie
}

// visit serves one request with the body of a handler, and returns the response.
func (v *visitor) visit(do func(ctx context.Context)) *http.Response {
	v.t.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	if v.cookie != nil {
		r.AddCookie(v.cookie)
	}
	w := httptest.NewRecorder()
	v.m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { do(r.Context()) })).ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		v.cookie = c
		if c.MaxAge < 0 {
			v.cookie = nil
		}
	}
	return w.Result()
}

// clone returns a second tab: another request in flight with the same cookie.
func (v *visitor) clone() *visitor { return &visitor{v.t, v.m, v.cookie} }

func newVisitor(t *testing.T, cfg *session.Config) *visitor {
	t.Helper()
	return &visitor{t: t, m: newManagerOn(t, mem.New(nil), cfg)}
}

func wantValue[T comparable](t *testing.T, ctx context.Context, k session.Key[T], want T) {
	t.Helper()
	got, err := k.Get(ctx)
	must(t, err)
	if got != want {
		t.Errorf("%s: got %v, want %v", k.Name(), got, want)
	}
}

func TestWriteMakesSession(t *testing.T) {
	tests := []struct {
		name string
		do   func(ctx context.Context) error
		want bool
	}{
		{"nothing", func(context.Context) error { return nil }, false},
		{"Get", func(ctx context.Context) error { _, err := user.Get(ctx); return err }, false},
		{"Delete", func(ctx context.Context) error { return user.Delete(ctx) }, false},
		{"Take", func(ctx context.Context) error { _, _, err := user.Take(ctx); return err }, false},
		{"Clear", func(ctx context.Context) error { return session.FromContext(ctx).Clear() }, false},
		{"Renew", func(ctx context.Context) error { return session.FromContext(ctx).Renew() }, false},
		{"End", func(ctx context.Context) error { return session.FromContext(ctx).End() }, false},
		{"Commit", func(ctx context.Context) error { return session.FromContext(ctx).Commit(ctx) }, false},
		{"Reload", func(ctx context.Context) error { return session.FromContext(ctx).Reload(ctx) }, false},
		{"Set then End", func(ctx context.Context) error {
			return errors.Join(user.Set(ctx, "ann"), session.FromContext(ctx).End())
		}, false},
		{"Set", func(ctx context.Context) error { return user.Set(ctx, "ann") }, true},
		{"Add", func(ctx context.Context) error { _, err := hits.Add(ctx, 1); return err }, true},
		{"Update", func(ctx context.Context) error {
			_, err := user.Update(ctx, func(string) (string, error) { return "ann", nil })
			return err
		}, true},
		{"SetOwner", func(ctx context.Context) error { return session.FromContext(ctx).SetOwner("ann") }, true},
		{"SetLabel", func(ctx context.Context) error { return session.FromContext(ctx).SetLabel("device", "phone") }, true},
		{"Persist", func(ctx context.Context) error { return session.FromContext(ctx).Persist(true) }, true},
		{"SetIdleTimeout", func(ctx context.Context) error { return session.FromContext(ctx).SetIdleTimeout(time.Hour) }, true},
		{"SetLifetime", func(ctx context.Context) error { return session.FromContext(ctx).SetLifetime(time.Hour) }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := mem.New(nil)
			v := &visitor{t: t, m: newManagerOn(t, s, nil)}
			v.visit(func(ctx context.Context) { must(t, tt.do(ctx)) })
			if got := v.cookie != nil; got != tt.want {
				t.Errorf("cookie set: got %v, want %v", got, tt.want)
			}
			if got := s.Len() == 1; got != tt.want {
				t.Errorf("record stored: got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestChangesAreSeenAtOnceAndAfter(t *testing.T) {
	v := newVisitor(t, nil)
	check := func(ctx context.Context) {
		t.Helper()
		wantValue(t, ctx, user, "ann")
		got, err := cart.Get(ctx)
		must(t, err)
		if want := []string{"tea", "milk"}; !slices.Equal(got, want) {
			t.Errorf("cart: got %v, want %v", got, want)
		}
		if n, err := hits.Get(ctx); n != 3 || err != nil {
			t.Errorf("hits: got %v, %v, want 3", n, err)
		}
		names, err := session.FromContext(ctx).Names()
		must(t, err)
		if want := []string{"cart", "hits", "user"}; !slices.Equal(names, want) {
			t.Errorf("Names: got %v, want %v", names, want)
		}
	}
	v.visit(func(ctx context.Context) {
		must(t, user.Set(ctx, "ann"))
		must(t, cart.Set(ctx, []string{"tea", "milk"}))
		hits.Add(ctx, 1)
		hits.Add(ctx, 2)
		check(ctx)
	})
	v.visit(check)
}

// Every pair of changes to one name, in one request that commits and in one that doesn't before the second.
func TestChangesOfOneNameCombine(t *testing.T) {
	set := func(n int64) func(context.Context) {
		return func(ctx context.Context) { must(t, session.NewKey[int64]("hits").Set(ctx, n)) }
	}
	add := func(n int64) func(context.Context) {
		return func(ctx context.Context) { _, err := hits.Add(ctx, n); must(t, err) }
	}
	del := func(ctx context.Context) { must(t, session.NewKey[int64]("hits").Delete(ctx)) }
	clear := func(ctx context.Context) { must(t, session.FromContext(ctx).Clear()) }
	double := func(ctx context.Context) {
		_, err := session.NewKey[int64]("hits").Update(ctx, func(n int64) (int64, error) { return 2 * n, nil })
		must(t, err)
	}
	tests := []struct {
		name string
		do   []func(context.Context)
		want int64
	}{
		{"set add", []func(context.Context){set(10), add(5)}, 15},
		{"add set", []func(context.Context){add(5), set(10)}, 10},
		{"add add", []func(context.Context){add(5), add(6)}, 111},
		{"delete add", []func(context.Context){del, add(5)}, 5},
		{"add delete", []func(context.Context){add(5), del}, 0},
		{"clear add", []func(context.Context){clear, add(5)}, 5},
		{"add clear", []func(context.Context){add(5), clear}, 0},
		{"set delete", []func(context.Context){set(5), del}, 0},
		{"delete set", []func(context.Context){del, set(5)}, 5},
		{"clear set add", []func(context.Context){clear, set(5), add(1)}, 6},
		{"add double", []func(context.Context){add(5), double}, 210},
		{"double add", []func(context.Context){double, add(5)}, 205},
		{"clear double add", []func(context.Context){clear, double, add(5)}, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, commit := range []bool{false, true} {
				v := newVisitor(t, nil)
				v.visit(set(100))
				v.visit(func(ctx context.Context) {
					for _, do := range tt.do {
						do(ctx)
						if commit {
							must(t, session.FromContext(ctx).Commit(ctx))
						}
					}
					if n, _ := hits.Get(ctx); n != tt.want {
						t.Errorf("commit between %v: in the request: got %d, want %d", commit, n, tt.want)
					}
				})
				v.visit(func(ctx context.Context) {
					if n, _ := hits.Get(ctx); n != tt.want {
						t.Errorf("commit between %v: after it: got %d, want %d", commit, n, tt.want)
					}
				})
			}
		})
	}
}

func TestTakeIsOnce(t *testing.T) {
	v := newVisitor(t, nil)
	flash := session.NewKey[string]("flash")
	v.visit(func(ctx context.Context) { must(t, flash.Set(ctx, "saved")) })
	for _, want := range []string{"saved", ""} {
		v.visit(func(ctx context.Context) {
			got, ok, err := flash.Take(ctx)
			if got != want || ok != (want != "") || err != nil {
				t.Errorf("Take: got %q, %v, %v, want %q", got, ok, err, want)
			}
		})
	}
}

func TestValueOfAnotherTypeFailsAlone(t *testing.T) {
	v := newVisitor(t, nil)
	number := session.NewKey[int]("user")
	v.visit(func(ctx context.Context) {
		must(t, user.Set(ctx, "ann"))
		must(t, cart.Set(ctx, nil))
	})
	v.visit(func(ctx context.Context) {
		_, err := number.Get(ctx)
		var broken *session.ValueError
		if !errors.As(err, &broken) || broken.Name != "user" {
			t.Errorf("Get: got %v, want a ValueError for user", err)
		}
		if _, err := session.NewCounter("user").Add(ctx, 1); !errors.As(err, &broken) {
			t.Errorf("Add: got %v, want a ValueError", err)
		}
		if _, err := cart.Get(ctx); err != nil {
			t.Errorf("another value: got %v", err)
		}
		must(t, number.Set(ctx, 7))
		wantValue(t, ctx, number, 7)
	})
	v.visit(func(ctx context.Context) { wantValue(t, ctx, number, 7) })
}

// The store finds out at the commit that another request has set the counter to a text.
func TestCounterOverwrittenMeanwhile(t *testing.T) {
	v := newVisitor(t, nil)
	v.visit(func(ctx context.Context) { hits.Add(ctx, 1) })
	res := v.visit(func(ctx context.Context) {
		hits.Add(ctx, 1)
		v.clone().visit(func(ctx context.Context) { must(t, session.NewKey[string]("hits").Set(ctx, "many")) })
	})
	if res.StatusCode != http.StatusInternalServerError {
		t.Errorf("status: got %d, want 500", res.StatusCode)
	}
}

func TestMaxBytes(t *testing.T) {
	v := newVisitor(t, &session.Config{MaxBytes: 20})
	v.visit(func(ctx context.Context) {
		must(t, user.Set(ctx, "0123456789")) // 4 + 12
		checkErr(t, "a second value", cart.Set(ctx, []string{"tea"}), session.ErrTooLarge)
		checkErr(t, "a longer value", user.Set(ctx, "0123456789abcdef"), session.ErrTooLarge)
		_, err := session.NewCounter("hits!").Add(ctx, 1)
		checkErr(t, "a counter", err, session.ErrTooLarge)
		wantValue(t, ctx, user, "0123456789")
		must(t, user.Set(ctx, "0123456789abcd")) // just fits
		must(t, user.Set(ctx, "x"))
		must(t, cart.Set(ctx, []string{"t"})) // 7 + 9
		must(t, user.Delete(ctx))
		must(t, cart.Set(ctx, []string{"tea", "m"}))
		session.FromContext(ctx).Degrade() // the counter
	})
	v.visit(func(ctx context.Context) {
		checkErr(t, "in the next request", user.Set(ctx, "ann"), session.ErrTooLarge)
		must(t, session.FromContext(ctx).Clear())
		must(t, user.Set(ctx, "ann"))
	})
}

func TestConcurrentRequestsLoseNothing(t *testing.T) {
	const tabs, each = 8, 50
	v := newVisitor(t, nil)
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	names := session.NewKey[int]("name")
	var wg sync.WaitGroup
	for tab := range tabs {
		wg.Go(func() {
			for range each {
				v.clone().visit(func(ctx context.Context) {
					hits.Add(ctx, 1)
					names.Sub(string(rune('a'+tab))).Update(ctx, func(n int) (int, error) { return n + 1, nil })
				})
			}
		})
		wg.Go(func() {
			for range each {
				v.clone().visit(func(ctx context.Context) {
					_, err := names.Update(ctx, func(n int) (int, error) { return n + 1, nil })
					if err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
	wg.Wait()
	v.visit(func(ctx context.Context) {
		if n, _ := hits.Get(ctx); n != tabs*each {
			t.Errorf("counter: got %d, want %d", n, tabs*each)
		}
		wantValue(t, ctx, names, tabs*each)
		for tab := range tabs {
			wantValue(t, ctx, names.Sub(string(rune('a'+tab))), each)
		}
		wantValue(t, ctx, user, "ann")
	})
}

// After Commit, each of many concurrent requests sees a sum that no other has seen.
func TestCommittedCountIsUnique(t *testing.T) {
	const requests = 100
	v := newVisitor(t, nil)
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	var mu sync.Mutex
	var got []int64
	var wg sync.WaitGroup
	for range requests {
		wg.Go(func() {
			v.clone().visit(func(ctx context.Context) {
				hits.Add(ctx, 1)
				if err := session.FromContext(ctx).Commit(ctx); err != nil {
					t.Error(err)
				}
				n, _ := hits.Get(ctx)
				mu.Lock()
				defer mu.Unlock()
				got = append(got, n)
			})
		})
	}
	wg.Wait()
	slices.Sort(got)
	for i, n := range got {
		if n != int64(i+1) {
			t.Fatalf("sums: got %v, want 1 to %d once each", got, requests)
		}
	}
}

func TestOneSessionInManyGoroutines(t *testing.T) {
	v := newVisitor(t, nil)
	v.visit(func(ctx context.Context) {
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				s := session.FromContext(ctx)
				hits.Add(ctx, 1)
				user.Sub(string(rune('a'+i))).Set(ctx, "x")
				user.Get(ctx)
				s.Info()
				s.Names()
				s.Exists()
				s.SetLabel("device", "x")
				if i%4 == 0 {
					s.Commit(ctx)
				}
			})
		}
		wg.Wait()
	})
	v.visit(func(ctx context.Context) {
		if n, _ := hits.Get(ctx); n != 16 {
			t.Errorf("hits: got %d, want 16", n)
		}
		if names, _ := session.FromContext(ctx).Names(); len(names) != 17 {
			t.Errorf("names: got %d of them, want 17", len(names))
		}
	})
}

func TestUpdate(t *testing.T) {
	t.Run("an error of the function changes nothing", func(t *testing.T) {
		v := newVisitor(t, nil)
		v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
		boom := errors.New("boom")
		v.visit(func(ctx context.Context) {
			_, err := user.Update(ctx, func(string) (string, error) { return "bob", boom })
			checkErr(t, "Update", err, boom)
			wantValue(t, ctx, user, "ann")
		})
		v.visit(func(ctx context.Context) { wantValue(t, ctx, user, "ann") })
	})
	t.Run("is stored when it returns", func(t *testing.T) {
		v := newVisitor(t, nil)
		v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
		v.visit(func(ctx context.Context) {
			_, err := user.Update(ctx, func(s string) (string, error) { return s + "a", nil })
			must(t, err)
			v.clone().visit(func(ctx context.Context) { wantValue(t, ctx, user, "anna") })
		})
	})
	t.Run("may use the session", func(t *testing.T) {
		v := newVisitor(t, nil)
		v.visit(func(ctx context.Context) {
			_, err := user.Update(ctx, func(string) (string, error) {
				_, err := hits.Add(ctx, 1)
				return "ann", err
			})
			must(t, err)
			wantValue(t, ctx, user, "ann")
		})
	})
	t.Run("takes along what this request has changed", func(t *testing.T) {
		v := newVisitor(t, nil)
		v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
		v.visit(func(ctx context.Context) {
			hits.Add(ctx, 1)
			tries := 0
			got, err := user.Update(ctx, func(s string) (string, error) {
				if tries++; tries == 1 {
					v.clone().visit(func(ctx context.Context) { must(t, user.Set(ctx, "bob")) })
				}
				return s + "!", nil
			})
			must(t, err)
			if got != "bob!" || tries != 2 {
				t.Errorf("got %q after %d tries, want bob! after 2", got, tries)
			}
		})
		v.visit(func(ctx context.Context) {
			wantValue(t, ctx, user, "bob!")
			if n, _ := hits.Get(ctx); n != 1 {
				t.Errorf("hits: got %d, want 1", n)
			}
		})
	})
	t.Run("gives up as a conflict", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { // for the pauses between its tries
			v := newVisitor(t, nil)
			v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
			v.visit(func(ctx context.Context) {
				_, err := user.Update(ctx, func(string) (string, error) {
					v.clone().visit(func(ctx context.Context) { must(t, user.Sub("of another").Set(ctx, "x")) })
					other := v.clone()
					other.visit(func(ctx context.Context) {
						name, err := user.Get(ctx)
						must(t, err)
						must(t, user.Set(ctx, name+"+"))
					})
					return "bob", nil
				})
				checkErr(t, "Update", err, session.ErrConflict)
				session.FromContext(ctx).Degrade()
			})
			v.visit(func(ctx context.Context) { wantValue(t, ctx, user, "ann"+strings.Repeat("+", 100)) })
		})
	})
}

func TestEndWinsEveryRace(t *testing.T) {
	login := func(t *testing.T) *visitor {
		v := newVisitor(t, nil)
		v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
		return v
	}
	logout := func(v *visitor) {
		v.clone().visit(func(ctx context.Context) { must(v.t, session.FromContext(ctx).End()) })
	}
	gone := func(t *testing.T, v *visitor) {
		t.Helper()
		v.visit(func(ctx context.Context) {
			if ok, err := session.FromContext(ctx).Exists(); ok || err != nil {
				t.Errorf("Exists afterwards: got %v, %v", ok, err)
			}
		})
	}
	tests := []struct {
		name   string
		before func(ctx context.Context) // before the logout, so the record is loaded
		after  func(t *testing.T, ctx context.Context)
		status int
	}{
		{"a request that read", func(ctx context.Context) { user.Get(ctx) }, nil, 200},
		{"a request that changed a value", func(ctx context.Context) { user.Set(ctx, "bob") }, nil, 409},
		{"a request that counts", func(ctx context.Context) { hits.Add(ctx, 1) }, nil, 409},
		{"a request that renews", func(ctx context.Context) { session.FromContext(ctx).Renew() }, nil, 409},
		{"a request that persists", func(ctx context.Context) { session.FromContext(ctx).Persist(true) }, nil, 409},
		{"a request that updates", func(ctx context.Context) { user.Get(ctx) }, func(t *testing.T, ctx context.Context) {
			_, err := user.Update(ctx, func(string) (string, error) { return "bob", nil })
			checkErr(t, "Update", err, session.ErrEnded)
			checkErr(t, "Set afterwards", user.Set(ctx, "bob"), session.ErrEnded)
		}, 409},
		{"a request that commits", func(ctx context.Context) { user.Set(ctx, "bob") }, func(t *testing.T, ctx context.Context) {
			checkErr(t, "Commit", session.FromContext(ctx).Commit(ctx), session.ErrEnded)
			wantValue(t, ctx, user, "")
		}, 409},
		{"a request that reloads", func(ctx context.Context) { user.Set(ctx, "bob") }, func(t *testing.T, ctx context.Context) {
			checkErr(t, "Reload", session.FromContext(ctx).Reload(ctx), session.ErrEnded)
			wantValue(t, ctx, user, "")
		}, 409},
		{"another logout", func(ctx context.Context) { user.Get(ctx) }, func(t *testing.T, ctx context.Context) {
			must(t, session.FromContext(ctx).End())
		}, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := login(t)
			tab := v.clone()
			res := tab.visit(func(ctx context.Context) {
				tt.before(ctx)
				logout(v)
				if tt.after != nil {
					tt.after(t, ctx)
				}
			})
			if res.StatusCode != tt.status {
				t.Errorf("status: got %d, want %d", res.StatusCode, tt.status)
			}
			for _, c := range res.Cookies() {
				if c.MaxAge >= 0 {
					t.Errorf("the racing response brought a cookie back: %v", c.Name)
				}
			}
			gone(t, v)
		})
	}
}

func TestEnd(t *testing.T) {
	v := newVisitor(t, nil)
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	old := v.clone()
	v.visit(func(ctx context.Context) {
		s := session.FromContext(ctx)
		hits.Add(ctx, 1)
		must(t, s.End())
		must(t, s.End())
		if s.ID() != (session.ID{}) {
			t.Error("an ended session has an ID")
		}
		wantValue(t, ctx, user, "")
		checkErr(t, "Set", user.Set(ctx, "bob"), session.ErrEnded)
		checkErr(t, "Delete", user.Delete(ctx), session.ErrEnded)
		checkErr(t, "Clear", s.Clear(), session.ErrEnded)
		checkErr(t, "Renew", s.Renew(), session.ErrEnded)
		checkErr(t, "SetOwner", s.SetOwner("ann"), session.ErrEnded)
		old.clone().visit(func(ctx context.Context) { wantValue(t, ctx, user, "") })
	})
	if v.cookie != nil {
		t.Error("the cookie was not removed")
	}
}

func TestRenew(t *testing.T) {
	v := newVisitor(t, nil)
	var id session.ID
	v.visit(func(ctx context.Context) {
		must(t, cart.Set(ctx, []string{"tea"}))
		id = session.FromContext(ctx).ID()
	})
	old := v.clone()
	v.visit(func(ctx context.Context) {
		must(t, session.FromContext(ctx).Renew())
		must(t, user.Set(ctx, "ann"))
	})
	if v.cookie.Value == old.cookie.Value {
		t.Fatal("the token is the same after Renew")
	}
	v.visit(func(ctx context.Context) {
		wantValue(t, ctx, user, "ann")
		if got, _ := cart.Get(ctx); len(got) != 1 {
			t.Errorf("cart: got %v, want it kept", got)
		}
		if got := session.FromContext(ctx).ID(); got != id {
			t.Errorf("ID: got %v, want %v as before", got, id)
		}
	})
	res := old.visit(func(ctx context.Context) {
		s := session.FromContext(ctx)
		wantValue(t, ctx, user, "")
		if ok, _ := s.Exists(); ok {
			t.Error("a retired token shows a session")
		}
		checkErr(t, "Set", user.Set(ctx, "bob"), session.ErrEnded)
		checkErr(t, "Delete", user.Delete(ctx), session.ErrEnded)
		checkErr(t, "End", s.End(), session.ErrEnded)
		checkErr(t, "Renew", s.Renew(), session.ErrEnded)
	})
	if len(res.Cookies()) != 0 {
		t.Errorf("a request with a retired token set a cookie: %v", res.Header)
	}
}

func TestRetiredTokenIsForgottenAfterTwoMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisitor(t, nil)
		v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
		old := v.clone()
		v.visit(func(ctx context.Context) { must(t, session.FromContext(ctx).Renew()) })
		time.Sleep(store.RetiredFor - time.Second)
		old.visit(func(ctx context.Context) { checkErr(t, "Set", user.Set(ctx, "bob"), session.ErrEnded) })
		time.Sleep(2 * time.Second)
		old.visit(func(ctx context.Context) { must(t, user.Set(ctx, "bob")) })
		v.visit(func(ctx context.Context) { wantValue(t, ctx, user, "ann") })
	})
}

func TestTwoRenewalsOneWins(t *testing.T) {
	v := newVisitor(t, nil)
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	const logins = 8
	var loaded, done sync.WaitGroup
	loaded.Add(logins)
	tabs := make([]*visitor, logins)
	statuses := make([]int, logins)
	for i := range tabs {
		tabs[i] = v.clone()
		done.Go(func() {
			res := tabs[i].visit(func(ctx context.Context) {
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
		renewed := tab.cookie.Value != v.cookie.Value
		if renewed {
			won++
			tab.visit(func(ctx context.Context) { wantValue(t, ctx, user, "ann") })
		}
		if want := map[bool]int{true: 200, false: 409}[renewed]; statuses[i] != want {
			t.Errorf("renewed %v: got status %d, want %d", renewed, statuses[i], want)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d renewals won, want 1", won, logins)
	}
}

func TestIdleAndLifetime(t *testing.T) {
	tests := []struct {
		name  string
		every time.Duration
		times int
		want  bool
	}{
		{"used every 20 seconds", 20 * time.Second, 71, true},
		{"used until its lifetime is over", 20 * time.Second, 73, false},
		{"idle for its timeout", 30 * time.Second, 1, false},
		{"idle for nine tenths of its timeout", 27*time.Second - time.Millisecond, 2, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVisitor(t, &session.Config{IdleTimeout: 30 * time.Second, Lifetime: 24 * time.Minute})
				v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
				ok := true
				for range tt.times {
					time.Sleep(tt.every)
					v.visit(func(ctx context.Context) { ok, _ = session.FromContext(ctx).Exists() })
				}
				if ok != tt.want {
					t.Errorf("exists: got %v, want %v", ok, tt.want)
				}
			})
		})
	}
}

func TestPersist(t *testing.T) {
	v := newVisitor(t, nil)
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	if v.cookie.MaxAge != 0 {
		t.Errorf("Max-Age of a session cookie: got %d, want none", v.cookie.MaxAge)
	}
	v.visit(func(ctx context.Context) {
		s := session.FromContext(ctx)
		must(t, s.Persist(true))
		must(t, s.SetLifetime(30*24*time.Hour))
	})
	if got, want := v.cookie.MaxAge, 30*24*3600; got < want-10 || got > want {
		t.Errorf("Max-Age: got %d, want about %d", got, want)
	}
	res := v.visit(func(ctx context.Context) { must(t, session.FromContext(ctx).Persist(true)) })
	if len(res.Cookies()) != 0 {
		t.Error("a cookie was set although nothing moved")
	}
	v.visit(func(ctx context.Context) {
		info, err := session.FromContext(ctx).Info()
		must(t, err)
		if !info.Persistent {
			t.Error("Info.Persistent: got false")
		}
		must(t, session.FromContext(ctx).Persist(false))
	})
	if v.cookie.MaxAge != 0 {
		t.Errorf("Max-Age after Persist(false): got %d, want none", v.cookie.MaxAge)
	}
}

func TestBadTexts(t *testing.T) {
	v := newVisitor(t, nil)
	long := string(make([]byte, 300))
	v.visit(func(ctx context.Context) {
		s := session.FromContext(ctx)
		for what, err := range map[string]error{
			"a long owner":               s.SetOwner(long),
			"an owner that is not UTF-8": s.SetOwner("\xff"),
			"a label with NUL":           s.SetLabel("device", "a\x00b"),
			"a label without a name":     s.SetLabel("", "x"),
			"no idle timeout":            s.SetIdleTimeout(0),
			"a negative lifetime":        s.SetLifetime(-time.Second),
			"an endless lifetime":        s.SetLifetime(1<<63 - 1),
		} {
			if err == nil {
				t.Errorf("%s was taken", what)
			}
		}
	})
	if v.cookie != nil {
		t.Error("refused changes made a session")
	}
}

func TestOwnerLimit(t *testing.T) {
	s := mem.New(nil)
	m := newManagerOn(t, s, &session.Config{MaxPerOwner: 2})
	login := func() *visitor {
		v := &visitor{t: t, m: m}
		v.visit(func(ctx context.Context) { must(t, session.FromContext(ctx).SetOwner("ann")) })
		return v
	}
	devices := []*visitor{login(), login(), login()}
	for i, want := range []string{"", "ann", "ann"} {
		devices[i].visit(func(ctx context.Context) {
			if got, err := session.FromContext(ctx).Owner(); got != want || err != nil {
				t.Errorf("device %d: got owner %q, %v, want %q", i, got, err, want)
			}
		})
	}
}

func TestInfo(t *testing.T) {
	v := newVisitor(t, nil)
	var before session.Info
	v.visit(func(ctx context.Context) {
		s := session.FromContext(ctx)
		info, err := s.Info()
		if err != nil || info.ID != (session.ID{}) {
			t.Errorf("without a session: got %v, %v", info, err)
		}
		must(t, user.Set(ctx, "ann"))
		must(t, s.SetOwner("ann"))
		must(t, s.SetLabel("device", "phone"))
		before, err = s.Info()
		must(t, err)
	})
	v.visit(func(ctx context.Context) {
		info, err := session.FromContext(ctx).Info()
		must(t, err)
		if info.ID != before.ID || info.Owner != "ann" || info.Labels["device"] != "phone" || info.Count != 1 || info.Size != len(`user"ann"devicephone`) {
			t.Errorf("got %+v", info)
		}
		if d := info.Expires.Sub(info.LastSeen); d != 30*time.Minute {
			t.Errorf("expires %v after it was last seen, want 30 min", d)
		}
		raw, err := session.FromContext(ctx).Values()
		must(t, err)
		if len(raw) != 1 || string(raw["user"]) != `"ann"` {
			t.Errorf("Values: got %s", raw)
		}
	})
}

func TestStorePanicPasses(t *testing.T) {
	m, s := newManager(t, nil)
	v := &visitor{t: t, m: m}
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	s.onLoad = func() error { panic("store") }
	defer func() { check(t, "panic", recover(), any("store")) }()
	v.visit(func(ctx context.Context) { user.Get(ctx) })
}

// A cancelled context says nothing of the store, nor of the session to an operation with another.
func TestCancelledLoad(t *testing.T) {
	m, s := newManager(t, nil)
	v := &visitor{t: t, m: m}
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	v.visit(func(ctx context.Context) {
		gone, cancel := context.WithCancel(ctx)
		cancel()
		s.onLoad = func() error { return context.Cause(gone) }
		_, err := user.Get(gone)
		checkErr(t, "Get with a cancelled context", err, context.Canceled)
		s.onLoad = nil
		wantValue(t, ctx, user, "ann")
	})
}

func TestReloadAfterFailure(t *testing.T) {
	m, s := newManager(t, nil)
	v := &visitor{t: t, m: m}
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	for _, reload := range []bool{true, false} {
		s.onLoad = fail
		res := v.visit(func(ctx context.Context) {
			checkErr(t, "Set", user.Set(ctx, "bob"), session.ErrUnavailable)
			s.onLoad = nil
			checkErr(t, "Set again", user.Set(ctx, "bob"), session.ErrUnavailable)
			if reload {
				must(t, session.FromContext(ctx).Reload(ctx))
				wantValue(t, ctx, user, "ann")
				must(t, user.Set(ctx, "ann"))
			}
		})
		check(t, "status", res.StatusCode, map[bool]int{true: 200, false: 503}[reload])
	}
}
