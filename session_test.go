package session_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
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

var (
	cart = session.NewKey[[]string]("cart")
)

func TestWriteMakesSession(t *testing.T) {
	tests := []struct {
		name string
		do   func(ctx context.Context) error
		want bool
	}{
		{"nothing", func(context.Context) error { return nil }, false},
		{"Get", func(ctx context.Context) error { _, err := fixture.User.Get(ctx); return err }, false},
		{"Delete", func(ctx context.Context) error { return fixture.User.Delete(ctx) }, false},
		{"Take", func(ctx context.Context) error { _, _, err := fixture.User.Take(ctx); return err }, false},
		{"Clear", func(ctx context.Context) error { return session.FromContext(ctx).Clear() }, false},
		{"Renew", func(ctx context.Context) error { return session.FromContext(ctx).Renew() }, false},
		{"End", func(ctx context.Context) error { return session.FromContext(ctx).End() }, false},
		{"Commit", func(ctx context.Context) error { return session.FromContext(ctx).Commit(ctx) }, false},
		{"Reload", func(ctx context.Context) error { return session.FromContext(ctx).Reload(ctx) }, false},
		{"Set then End", func(ctx context.Context) error {
			return errors.Join(fixture.User.Set(ctx, "ann"), session.FromContext(ctx).End())
		}, false},
		{"Set", func(ctx context.Context) error { return fixture.User.Set(ctx, "ann") }, true},
		{"Add", func(ctx context.Context) error { _, err := fixture.Hits.Add(ctx, 1); return err }, true},
		{"Update", func(ctx context.Context) error {
			_, err := fixture.User.Update(ctx, func(string) (string, error) { return "ann", nil })
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
			v := fixture.NewVisitor(t, fixture.NewManagerOn(t, s, nil))
			v.Visit(func(ctx context.Context) { expect.OK(t, tt.do(ctx)) })
			if got := v.Cookie() != nil; got != tt.want {
				t.Errorf("cookie set: got %v, want %v", got, tt.want)
			}
			if got := s.Len() == 1; got != tt.want {
				t.Errorf("record stored: got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestChangesAreSeenAtOnceAndAfter(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	check := func(ctx context.Context) {
		t.Helper()
		fixture.Holds(t, ctx, fixture.User, "ann")
		got, err := cart.Get(ctx)
		expect.OK(t, err)
		if want := []string{"tea", "milk"}; !slices.Equal(got, want) {
			t.Errorf("cart: got %v, want %v", got, want)
		}
		if n, err := fixture.Hits.Get(ctx); n != 3 || err != nil {
			t.Errorf("hits: got %v, %v, want 3", n, err)
		}
		names, err := session.FromContext(ctx).Names()
		expect.OK(t, err)
		if want := []string{"cart", "hits", "user"}; !slices.Equal(names, want) {
			t.Errorf("Names: got %v, want %v", names, want)
		}
	}
	v.Visit(func(ctx context.Context) {
		expect.OK(t, fixture.User.Set(ctx, "ann"))
		expect.OK(t, cart.Set(ctx, []string{"tea", "milk"}))
		fixture.Hits.Add(ctx, 1)
		fixture.Hits.Add(ctx, 2)
		check(ctx)
	})
	v.Visit(check)
}

// Every pair of changes to one name, in one request that commits and in one that doesn't before the second.
func TestChangesOfOneNameCombine(t *testing.T) {
	set := func(n int64) func(context.Context) {
		return func(ctx context.Context) { expect.OK(t, session.NewKey[int64]("hits").Set(ctx, n)) }
	}
	add := func(n int64) func(context.Context) {
		return func(ctx context.Context) { _, err := fixture.Hits.Add(ctx, n); expect.OK(t, err) }
	}
	del := func(ctx context.Context) { expect.OK(t, session.NewKey[int64]("hits").Delete(ctx)) }
	clear := func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).Clear()) }
	double := func(ctx context.Context) {
		_, err := session.NewKey[int64]("hits").Update(ctx, func(n int64) (int64, error) { return 2 * n, nil })
		expect.OK(t, err)
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
				v := fixture.FirstVisitor(t, nil)
				v.Visit(set(100))
				v.Visit(func(ctx context.Context) {
					for _, do := range tt.do {
						do(ctx)
						if commit {
							expect.OK(t, session.FromContext(ctx).Commit(ctx))
						}
					}
					if n, _ := fixture.Hits.Get(ctx); n != tt.want {
						t.Errorf("commit between %v: in the request: got %d, want %d", commit, n, tt.want)
					}
				})
				v.Visit(func(ctx context.Context) {
					if n, _ := fixture.Hits.Get(ctx); n != tt.want {
						t.Errorf("commit between %v: after it: got %d, want %d", commit, n, tt.want)
					}
				})
			}
		})
	}
}

func TestTakeIsOnce(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	flash := session.NewKey[string]("flash")
	v.Visit(func(ctx context.Context) { expect.OK(t, flash.Set(ctx, "saved")) })
	for _, want := range []string{"saved", ""} {
		v.Visit(func(ctx context.Context) {
			got, ok, err := flash.Take(ctx)
			if got != want || ok != (want != "") || err != nil {
				t.Errorf("Take: got %q, %v, %v, want %q", got, ok, err, want)
			}
		})
	}
}

func TestValueOfAnotherTypeFailsAlone(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	number := session.NewKey[int]("user")
	v.Visit(func(ctx context.Context) {
		expect.OK(t, fixture.User.Set(ctx, "ann"))
		expect.OK(t, cart.Set(ctx, nil))
	})
	v.Visit(func(ctx context.Context) {
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
		expect.OK(t, number.Set(ctx, 7))
		fixture.Holds(t, ctx, number, 7)
	})
	v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, number, 7) })
}

// The store finds out at the commit that another request has set the counter to a text.
func TestCounterOverwrittenMeanwhile(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) { fixture.Hits.Add(ctx, 1) })
	res := v.Visit(func(ctx context.Context) {
		fixture.Hits.Add(ctx, 1)
		v.Clone().Visit(func(ctx context.Context) { expect.OK(t, session.NewKey[string]("hits").Set(ctx, "many")) })
	})
	if res.StatusCode != http.StatusInternalServerError {
		t.Errorf("status: got %d, want 500", res.StatusCode)
	}
}

func TestMaxBytes(t *testing.T) {
	v := fixture.FirstVisitor(t, &session.Config{MaxBytes: 20})
	v.Visit(func(ctx context.Context) {
		expect.OK(t, fixture.User.Set(ctx, "0123456789")) // 4 + 12
		expect.Is(t, "a second value", cart.Set(ctx, []string{"tea"}), session.ErrTooLarge)
		expect.Is(t, "a longer value", fixture.User.Set(ctx, "0123456789abcdef"), session.ErrTooLarge)
		_, err := session.NewCounter("hits!").Add(ctx, 1)
		expect.Is(t, "a counter", err, session.ErrTooLarge)
		fixture.Holds(t, ctx, fixture.User, "0123456789")
		expect.OK(t, fixture.User.Set(ctx, "0123456789abcd")) // just fits
		expect.OK(t, fixture.User.Set(ctx, "x"))
		expect.OK(t, cart.Set(ctx, []string{"t"})) // 7 + 9
		expect.OK(t, fixture.User.Delete(ctx))
		expect.OK(t, cart.Set(ctx, []string{"tea", "m"}))
		session.FromContext(ctx).Degrade() // the counter
	})
	v.Visit(func(ctx context.Context) {
		expect.Is(t, "in the next request", fixture.User.Set(ctx, "ann"), session.ErrTooLarge)
		expect.OK(t, session.FromContext(ctx).Clear())
		expect.OK(t, fixture.User.Set(ctx, "ann"))
	})
}

func TestConcurrentRequestsLoseNothing(t *testing.T) {
	const tabs, each = 8, 50
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	names := session.NewKey[int]("name")
	var wg sync.WaitGroup
	for tab := range tabs {
		wg.Go(func() {
			for range each {
				v.Clone().Visit(func(ctx context.Context) {
					fixture.Hits.Add(ctx, 1)
					names.Sub(string(rune('a'+tab))).Update(ctx, func(n int) (int, error) { return n + 1, nil })
				})
			}
		})
		wg.Go(func() {
			for range each {
				v.Clone().Visit(func(ctx context.Context) {
					_, err := names.Update(ctx, func(n int) (int, error) { return n + 1, nil })
					if err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
	wg.Wait()
	v.Visit(func(ctx context.Context) {
		if n, _ := fixture.Hits.Get(ctx); n != tabs*each {
			t.Errorf("counter: got %d, want %d", n, tabs*each)
		}
		fixture.Holds(t, ctx, names, tabs*each)
		for tab := range tabs {
			fixture.Holds(t, ctx, names.Sub(string(rune('a'+tab))), each)
		}
		fixture.Holds(t, ctx, fixture.User, "ann")
	})
}

// After Commit, each of many concurrent requests sees a sum that no other has seen.
func TestCommittedCountIsUnique(t *testing.T) {
	const requests = 100
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	var mu sync.Mutex
	var got []int64
	var wg sync.WaitGroup
	for range requests {
		wg.Go(func() {
			v.Clone().Visit(func(ctx context.Context) {
				fixture.Hits.Add(ctx, 1)
				if err := session.FromContext(ctx).Commit(ctx); err != nil {
					t.Error(err)
				}
				n, _ := fixture.Hits.Get(ctx)
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
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) {
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				s := session.FromContext(ctx)
				fixture.Hits.Add(ctx, 1)
				fixture.User.Sub(string(rune('a'+i))).Set(ctx, "x")
				fixture.User.Get(ctx)
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
	v.Visit(func(ctx context.Context) {
		if n, _ := fixture.Hits.Get(ctx); n != 16 {
			t.Errorf("hits: got %d, want 16", n)
		}
		if names, _ := session.FromContext(ctx).Names(); len(names) != 17 {
			t.Errorf("names: got %d of them, want 17", len(names))
		}
	})
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

func TestEndWinsEveryRace(t *testing.T) {
	login := func(t *testing.T) *fixture.Visitor {
		v := fixture.FirstVisitor(t, nil)
		v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
		return v
	}
	logout := func(v *fixture.Visitor) {
		v.Clone().Visit(func(ctx context.Context) { expect.OK(v.T, session.FromContext(ctx).End()) })
	}
	gone := func(t *testing.T, v *fixture.Visitor) {
		t.Helper()
		v.Visit(func(ctx context.Context) {
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
		{"a request that read", func(ctx context.Context) { fixture.User.Get(ctx) }, nil, 200},
		{"a request that changed a value", func(ctx context.Context) { fixture.User.Set(ctx, "bob") }, nil, 409},
		{"a request that counts", func(ctx context.Context) { fixture.Hits.Add(ctx, 1) }, nil, 409},
		{"a request that renews", func(ctx context.Context) { session.FromContext(ctx).Renew() }, nil, 409},
		{"a request that persists", func(ctx context.Context) { session.FromContext(ctx).Persist(true) }, nil, 409},
		{"a request that updates", func(ctx context.Context) { fixture.User.Get(ctx) }, func(t *testing.T, ctx context.Context) {
			_, err := fixture.User.Update(ctx, func(string) (string, error) { return "bob", nil })
			expect.Is(t, "Update", err, session.ErrEnded)
			expect.Is(t, "Set afterwards", fixture.User.Set(ctx, "bob"), session.ErrEnded)
		}, 409},
		{"a request that commits", func(ctx context.Context) { fixture.User.Set(ctx, "bob") }, func(t *testing.T, ctx context.Context) {
			expect.Is(t, "Commit", session.FromContext(ctx).Commit(ctx), session.ErrEnded)
			fixture.Holds(t, ctx, fixture.User, "")
		}, 409},
		{"a request that reloads", func(ctx context.Context) { fixture.User.Set(ctx, "bob") }, func(t *testing.T, ctx context.Context) {
			expect.Is(t, "Reload", session.FromContext(ctx).Reload(ctx), session.ErrEnded)
			fixture.Holds(t, ctx, fixture.User, "")
		}, 409},
		{"another logout", func(ctx context.Context) { fixture.User.Get(ctx) }, func(t *testing.T, ctx context.Context) {
			expect.OK(t, session.FromContext(ctx).End())
		}, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := login(t)
			tab := v.Clone()
			res := tab.Visit(func(ctx context.Context) {
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
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	old := v.Clone()
	v.Visit(func(ctx context.Context) {
		s := session.FromContext(ctx)
		fixture.Hits.Add(ctx, 1)
		expect.OK(t, s.End())
		expect.OK(t, s.End())
		if s.ID() != (session.ID{}) {
			t.Error("an ended session has an ID")
		}
		fixture.Holds(t, ctx, fixture.User, "")
		expect.Is(t, "Set", fixture.User.Set(ctx, "bob"), session.ErrEnded)
		expect.Is(t, "Delete", fixture.User.Delete(ctx), session.ErrEnded)
		expect.Is(t, "Clear", s.Clear(), session.ErrEnded)
		expect.Is(t, "Renew", s.Renew(), session.ErrEnded)
		expect.Is(t, "SetOwner", s.SetOwner("ann"), session.ErrEnded)
		old.Clone().Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "") })
	})
	if v.Cookie() != nil {
		t.Error("the cookie was not removed")
	}
}

func TestRenew(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	var id session.ID
	v.Visit(func(ctx context.Context) {
		expect.OK(t, cart.Set(ctx, []string{"tea"}))
		id = session.FromContext(ctx).ID()
	})
	old := v.Clone()
	v.Visit(func(ctx context.Context) {
		expect.OK(t, session.FromContext(ctx).Renew())
		expect.OK(t, fixture.User.Set(ctx, "ann"))
	})
	if v.Cookie().Value == old.Cookie().Value {
		t.Fatal("the token is the same after Renew")
	}
	v.Visit(func(ctx context.Context) {
		fixture.Holds(t, ctx, fixture.User, "ann")
		if got, _ := cart.Get(ctx); len(got) != 1 {
			t.Errorf("cart: got %v, want it kept", got)
		}
		if got := session.FromContext(ctx).ID(); got != id {
			t.Errorf("ID: got %v, want %v as before", got, id)
		}
	})
	res := old.Visit(func(ctx context.Context) {
		s := session.FromContext(ctx)
		fixture.Holds(t, ctx, fixture.User, "")
		if ok, _ := s.Exists(); ok {
			t.Error("a retired token shows a session")
		}
		expect.Is(t, "Set", fixture.User.Set(ctx, "bob"), session.ErrEnded)
		expect.Is(t, "Delete", fixture.User.Delete(ctx), session.ErrEnded)
		expect.Is(t, "End", s.End(), session.ErrEnded)
		expect.Is(t, "Renew", s.Renew(), session.ErrEnded)
	})
	if len(res.Cookies()) != 0 {
		t.Errorf("a request with a retired token set a cookie: %v", res.Header)
	}
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
				v := fixture.FirstVisitor(t, &session.Config{IdleTimeout: 30 * time.Second, Lifetime: 24 * time.Minute})
				v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
				ok := true
				for range tt.times {
					time.Sleep(tt.every)
					v.Visit(func(ctx context.Context) { ok, _ = session.FromContext(ctx).Exists() })
				}
				if ok != tt.want {
					t.Errorf("exists: got %v, want %v", ok, tt.want)
				}
			})
		})
	}
}

func TestPersist(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	maxAge := func(res *http.Response) int {
		t.Helper()
		if len(res.Cookies()) != 1 {
			t.Fatalf("cookies: got %v, want one", res.Cookies())
		}
		return res.Cookies()[0].MaxAge
	}
	res := v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	expect.Equal(t, "Max-Age of a session cookie", maxAge(res), 0)
	res = v.Visit(func(ctx context.Context) {
		s := session.FromContext(ctx)
		expect.OK(t, s.Persist(true))
		expect.OK(t, s.SetLifetime(30*24*time.Hour))
	})
	if got, want := maxAge(res), 30*24*3600; got < want-10 || got > want {
		t.Errorf("Max-Age: got %d, want about %d", got, want)
	}
	res = v.Visit(func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).Persist(true)) })
	expect.Equal(t, "cookies although nothing moved", len(res.Cookies()), 0)
	res = v.Visit(func(ctx context.Context) {
		info, err := session.FromContext(ctx).Info()
		expect.OK(t, err)
		expect.Equal(t, "Info.Persistent", info.Persistent, true)
		expect.OK(t, session.FromContext(ctx).Persist(false))
	})
	expect.Equal(t, "Max-Age after Persist(false)", maxAge(res), 0)
}

func TestBadTexts(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	long := string(make([]byte, 300))
	v.Visit(func(ctx context.Context) {
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
	if v.Cookie() != nil {
		t.Error("refused changes made a session")
	}
}

func TestOwnerLimit(t *testing.T) {
	s := mem.New(nil)
	m := fixture.NewManagerOn(t, s, &session.Config{MaxPerOwner: 2})
	login := func() *fixture.Visitor {
		v := fixture.NewVisitor(t, m)
		v.Visit(func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).SetOwner("ann")) })
		return v
	}
	devices := []*fixture.Visitor{login(), login(), login()}
	for i, want := range []string{"", "ann", "ann"} {
		devices[i].Visit(func(ctx context.Context) {
			if got, err := session.FromContext(ctx).Owner(); got != want || err != nil {
				t.Errorf("device %d: got owner %q, %v, want %q", i, got, err, want)
			}
		})
	}
}

func TestInfo(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	var before session.Info
	v.Visit(func(ctx context.Context) {
		s := session.FromContext(ctx)
		info, err := s.Info()
		if err != nil || info.ID != (session.ID{}) {
			t.Errorf("without a session: got %v, %v", info, err)
		}
		expect.OK(t, fixture.User.Set(ctx, "ann"))
		expect.OK(t, s.SetOwner("ann"))
		expect.OK(t, s.SetLabel("device", "phone"))
		before, err = s.Info()
		expect.OK(t, err)
	})
	v.Visit(func(ctx context.Context) {
		info, err := session.FromContext(ctx).Info()
		expect.OK(t, err)
		if info.ID != before.ID || info.Owner != "ann" || info.Labels["device"] != "phone" || info.Count != 1 || info.Size != len(`user"ann"devicephone`) {
			t.Errorf("got %+v", info)
		}
		if d := info.Expires.Sub(info.LastSeen); d != 30*time.Minute {
			t.Errorf("expires %v after it was last seen, want 30 min", d)
		}
		raw, err := session.FromContext(ctx).Values()
		expect.OK(t, err)
		if len(raw) != 1 || string(raw["user"]) != `"ann"` {
			t.Errorf("Values: got %s", raw)
		}
	})
}

func TestStorePanicPasses(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	v := fixture.NewVisitor(t, m)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	s.OnLoad = func() error { panic("store") }
	defer func() { expect.Equal(t, "panic", recover(), any("store")) }()
	v.Visit(func(ctx context.Context) { fixture.User.Get(ctx) })
}

// A cancelled context says nothing of the store, nor of the session to an operation with another.
func TestCancelledLoad(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	v := fixture.NewVisitor(t, m)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	v.Visit(func(ctx context.Context) {
		gone, cancel := context.WithCancel(ctx)
		cancel()
		s.Broken.Fail(context.Cause(gone), sessiontest.Load)
		_, err := fixture.User.Get(gone)
		expect.Is(t, "Get with a cancelled context", err, context.Canceled)
		s.Broken.Mend()
		fixture.Holds(t, ctx, fixture.User, "ann")
	})
}

func TestReloadAfterFailure(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	v := fixture.NewVisitor(t, m)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	for _, reload := range []bool{true, false} {
		s.Broken.Fail(fixture.ErrStore, sessiontest.Load)
		res := v.Visit(func(ctx context.Context) {
			expect.Is(t, "Set", fixture.User.Set(ctx, "bob"), session.ErrUnavailable)
			s.Broken.Mend()
			expect.Is(t, "Set again", fixture.User.Set(ctx, "bob"), session.ErrUnavailable)
			if reload {
				expect.OK(t, session.FromContext(ctx).Reload(ctx))
				fixture.Holds(t, ctx, fixture.User, "ann")
				expect.OK(t, fixture.User.Set(ctx, "ann"))
			}
		})
		expect.Equal(t, "status", res.StatusCode, map[bool]int{true: 200, false: 503}[reload])
	}
}
