package promises_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store/mem"
)

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

// After Commit, each of many concurrent requests sees a sum that no other request sees.
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
		{"a request that updates", func(ctx context.Context) {
			fixture.User.Get(ctx)
		}, func(t *testing.T, ctx context.Context) {
			_, err := fixture.User.Update(ctx, func(string) (string, error) { return "bob", nil })
			expect.Is(t, "Update", err, session.ErrEnded)
			expect.Is(t, "Set afterwards", fixture.User.Set(ctx, "bob"), session.ErrEnded)
		}, 409},
		{"a request that commits", func(ctx context.Context) {
			fixture.User.Set(ctx, "bob")
		}, func(t *testing.T, ctx context.Context) {
			expect.Is(t, "Commit", session.FromContext(ctx).Commit(ctx), session.ErrEnded)
			fixture.Holds(t, ctx, fixture.User, "")
		}, 409},
		{"a request that reloads", func(ctx context.Context) {
			fixture.User.Set(ctx, "bob")
		}, func(t *testing.T, ctx context.Context) {
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

// Goroutines that outlive their handler lose nothing silently: if Add returns nil, the addition is stored.
func TestNothingIsLostAtTheEndOfARequest(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	c := fixture.NewVisitorWith(t, m, "red")
	for range 50 {
		before := totalVisits(t, c)
		var taken atomic.Int64
		var workers sync.WaitGroup
		c.Meet(func(w http.ResponseWriter, r *http.Request) {
			atWork := make(chan struct{}, 8)
			for range cap(atWork) {
				workers.Go(func() {
					for {
						if _, err := fixture.Visits.Add(r.Context(), 1); err != nil {
							expect.Is(t, "Add", err, session.ErrTooLate)
							return
						}
						taken.Add(1)
						select {
						case atWork <- struct{}{}:
						default:
						}
					}
				})
			}
			for range cap(atWork) {
				<-atWork
			}
		}).Get("/")
		workers.Wait()
		if got := totalVisits(t, c) - before; got != taken.Load() {
			t.Fatalf("visits that are stored: got %d, want the %d that Add has taken", got, taken.Load())
		}
	}
}

// The first use of a session may happen at the moment when its request ends.
func TestFirstUseAtTheEndOfARequest(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	c := fixture.NewVisitorWith(t, m, "red")
	var taken atomic.Int64
	var late sync.WaitGroup
	for i := range 3000 {
		c.Meet(func(w http.ResponseWriter, r *http.Request) {
			over := make(chan struct{})
			late.Go(func() {
				<-over
				switch _, err := fixture.Visits.Add(r.Context(), 1); err {
				case nil:
					taken.Add(1)
				default:
					expect.Is(t, "Add", err, session.ErrTooLate)
				}
			})
			if i%2 == 0 {
				w.WriteHeader(http.StatusNoContent)
			}
			close(over)
			runtime.Gosched()
		}).Get("/")
	}
	late.Wait()
	expect.Equal(t, "visits that are stored", totalVisits(t, c), taken.Load())
}

func totalVisits(t *testing.T, v *fixture.Visitor) (n int64) {
	t.Helper()
	v.Visit(func(ctx context.Context) {
		var err error
		n, err = fixture.Visits.Get(ctx)
		expect.OK(t, err)
	})
	return n
}

// Any method may run beside any other, also while the header is written.
func TestReloadBesideEverything(t *testing.T) {
	m := fixture.NewManagerOn(t, mem.New(nil), nil)
	c := fixture.NewVisitorWith(t, m, "red")
	for range 50 {
		c.Meet(func(w http.ResponseWriter, r *http.Request) {
			ctx, s := r.Context(), session.FromContext(r.Context())
			start := make(chan struct{})
			var wg sync.WaitGroup
			for _, f := range []func(){
				func() { s.Reload(ctx) }, func() { s.Reload(ctx) }, func() { s.Commit(ctx) }, func() { fixture.Color.Get(ctx) },
				func() { fixture.Color.Set(ctx, "blue") }, func() { fixture.Visits.Add(ctx, 1) },
				func() { s.Renew() }, func() { s.Info() },
				func() { s.Degrade() }, func() { fixture.User.Update(ctx, func(string) (string, error) { return "ann", nil }) },
				func() { w.Write([]byte("hello")) },
			} {
				wg.Go(func() { <-start; f() })
			}
			close(start)
			wg.Wait()
		}).Get("/")
	}
}

func TestNextBesideDelete(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	var wg sync.WaitGroup
	for range 4 {
		tab := v.Clone()
		wg.Go(func() {
			for range 100 {
				tab.Visit(func(ctx context.Context) {
					n, err := fixture.Hits.Next(ctx)
					expect.OK(t, err)
					if n < 1 {
						t.Error("number", n)
					}
				})
			}
		})
	}
	tab := v.Clone()
	wg.Go(func() {
		for range 100 {
			tab.Visit(func(ctx context.Context) {
				expect.OK(t, session.NewKey[int](fixture.Hits.Name()).Delete(ctx))
				if n, _ := fixture.Hits.Next(ctx); n != 1 {
					t.Error("after its own Delete:", n)
				}
			})
		}
	})
	wg.Wait()
}

func TestHeaderMayChangeBeforeTheFirstUse(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	h := v.Site.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var wg sync.WaitGroup
		wg.Go(func() { fixture.Holds(t, r.Context(), fixture.User, "ann") })
		r.Header.Del("Cookie")
		r.Header.Set("X-Forwarded-For", "somebody")
		wg.Wait()
	}))
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(v.Cookie())
	h.ServeHTTP(httptest.NewRecorder(), r)
}

// After a TimeoutHandler has answered, the handler goes on inside an inner Manager. The cookie of that Manager must not
// reach the next visitor, whose request has got the same undo from the pool.
func TestNobodyGetsTheCookieOfAnother(t *testing.T) {
	outer, s := fixture.NewManager(t, nil)
	inner := fixture.NewManagerOn(t, fixture.NewStore(), &session.Config{Cookie: session.Cookie{Name: "inner"}})
	for range 50 {
		s.Broken.Mend()
		goOn, done := make(chan bool), make(chan bool)
		slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			expect.OK(t, fixture.User.Set(r.Context(), "ann"))
			<-goOn // it works for longer than it is given
			fmt.Fprint(w, "hello")
		})
		signals := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(done)
			inner.Handler(slow).ServeHTTP(w, r)
		})
		ann := withFive(outer.Handler(http.TimeoutHandler(signals, 20*time.Millisecond, "too slow")))
		ann.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/ann", nil))
		close(goOn)
		<-done
		s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
		w := httptest.NewRecorder()
		withFive(outer.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			expect.OK(t, fixture.Color.Set(r.Context(), "red"))
		}))).ServeHTTP(w, httptest.NewRequest("GET", "/mallory", nil))
		for _, c := range w.Result().Cookies() {
			r := httptest.NewRequest("GET", "/", nil)
			r.AddCookie(c)
			inner.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				name, _ := fixture.User.Get(r.Context())
				t.Fatalf("another visitor got the cookie %s, which opens the session of %q", c.Name, name)
			})).ServeHTTP(httptest.NewRecorder(), r)
		}
	}
}
