package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store/mem"
)

var cart = session.NewKey[[]string]("cart")

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
		{"SetIdleTimeout", func(ctx context.Context) error {
			return session.FromContext(ctx).SetIdleTimeout(time.Hour)
		}, true},
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
		expect.Equal(t, "ID", info.ID, before.ID)
		expect.Equal(t, "owner", info.Owner, "ann")
		expect.Equal(t, "label", info.Labels["device"], "phone")
		expect.Equal(t, "values", info.Count, 1)
		expect.Equal(t, "bytes", info.Size, len(`user"ann"devicephone`))
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

// A load that is cancelled is no failure of the store. The next operation, with another context, loads again.
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
		{name: "one that was remembered for longer", age: day, before: func(s *session.Session) error {
			return s.Remember(90 * day)
		}},
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

// A program that sets only one of the two has probably forgotten the other.
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

func TestRememberBeyondLimits(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	for _, d := range []time.Duration{0, -1, 1, 999, 101 * 365 * 24 * time.Hour, 1<<63 - 1, -1 << 63} {
		res := v.Visit(func(ctx context.Context) {
			if session.FromContext(ctx).Remember(d) == nil {
				t.Errorf("%v was taken", d)
			}
		})
		expect.Equal(t, "status", res.StatusCode, 500)
		expect.Equal(t, "cookies", len(res.Cookies()), 0)
	}
	v.Visit(func(ctx context.Context) {
		expect.OK(t, session.FromContext(ctx).Remember(100*365*24*time.Hour))
		expect.OK(t, fixture.User.Set(ctx, "ann"))
	})
	for range 3 {
		v.Visit(func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).Remember(100*365*24*time.Hour)) })
		v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann") })
	}
}

func TestWrongUse(t *testing.T) {
	ctx := session.NewContext(context.Background(), nil)
	_, err := fixture.User.Get(ctx)
	expect.Is(t, "Get in NewContext(ctx, nil)", err, session.ErrNoMiddleware)

	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) {
		var key session.Key[string]
		if key.Set(ctx, "x") == nil {
			t.Error("a zero Key was taken")
		}
		var counter session.Counter
		if _, err := counter.Add(ctx, 1); err == nil {
			t.Error("a zero Counter was taken")
		}
	})
	twice := v.Site.Handler(v.Site.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if fixture.User.Set(r.Context(), "x") == nil {
			t.Error("one Manager around a route twice: no error")
		}
	})))
	twice.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}
