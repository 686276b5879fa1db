package session_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// handleOf returns a Handle of a client's session, made by a request that first does something.
func handleOf(t *testing.T, c *client, m *session.Manager, first func(ctx context.Context)) *session.Handle {
	t.Helper()
	var h *session.Handle
	w := c.tab().use(func(_ http.ResponseWriter, r *http.Request) {
		if first != nil {
			first(r.Context())
		}
		var err error
		h, err = session.FromContext(r.Context()).Handle()
		must(t, err)
	}, m).get("/")
	if h == nil || w.Code != http.StatusOK {
		t.Fatalf("making a handle: got status %d and handle %v", w.Code, h)
	}
	return h
}

// during serves a request of a client, which does something with its session.
func during(c *client, m *session.Manager, do func(s *session.Session)) *httptest.ResponseRecorder {
	return c.tab().use(func(_ http.ResponseWriter, r *http.Request) { do(session.FromContext(r.Context())) }, m).get("/")
}

// inside returns a context that carries a session of a Handle.
func inside(t *testing.T, h *session.Handle) context.Context {
	return session.NewContext(t.Context(), h.Session(t.Context()))
}

func TestHandleOutlivesItsRequest(t *testing.T) {
	m, s := newManager(t, nil)
	c := newVisitorWith(t, m, "red")
	var ofRequest *session.Session
	s.take()
	h := handleOf(t, c, m, func(ctx context.Context) { ofRequest = session.FromContext(ctx) })
	check(t, "store calls of the request", s.take(), calls{loads: 1})
	_, err := ofRequest.Exists()
	checkErr(t, "the request's session, after it", err, session.ErrTooLate)
	_, err = ofRequest.Handle()
	checkErr(t, "a handle, after it", err, session.ErrTooLate)

	open := h.Session(t.Context())
	must(t, open.Commit(t.Context()))
	check(t, "store calls of a session that is not used", s.take(), calls{})
	ctx := session.NewContext(t.Context(), open)
	text, err := color.Get(ctx)
	must(t, err)
	check(t, "color", text, "red")
	check(t, "ID", open.ID(), h.ID())
	check(t, "store calls of reading", s.take(), calls{loads: 1})
	must(t, color.Set(ctx, "blue"))
	_, err = visits.Add(ctx, 1)
	must(t, err)
	check(t, "store calls before Commit", s.take(), calls{})
	must(t, open.Commit(ctx))
	check(t, "store calls of Commit", s.take(), calls{commits: 1})
	check(t, "color, for the next request", colorOf(t, c, m), "blue")
}

// A request that makes a session, or gives it a new token, has a handle of what it leaves.
func TestHandleIsOfWhatTheRequestLeaves(t *testing.T) {
	makes := func(ctx context.Context) { must(t, color.Set(ctx, "green")) }
	renews := func(ctx context.Context) { must(t, session.FromContext(ctx).Renew()) }
	commits := func(ctx context.Context) { must(t, session.FromContext(ctx).Commit(ctx)) }
	type steps []func(ctx context.Context)
	for _, tt := range []struct {
		name  string
		there bool // the session, before the request
		steps
	}{
		{"nothing", true, nil},
		{"makes", false, steps{makes}},
		{"renews", true, steps{renews}},
		{"renews and commits", true, steps{renews, commits}},
		{"makes and commits", false, steps{makes, commits}},
		{"makes and renews", false, steps{makes, renews}},
		{"makes, commits and renews", false, steps{makes, commits, renews}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, _ := newManager(t, nil)
			c := newClient(nil)
			if tt.there {
				c = newVisitorWith(t, m, "green")
			}
			h := handleOf(t, c, m, func(ctx context.Context) {
				for _, step := range tt.steps {
					step(ctx)
				}
			})
			text, err := color.Get(inside(t, h))
			must(t, err)
			check(t, "color", text, "green")
			during(c, m, func(s *session.Session) { check(t, "ID", h.ID(), s.ID()) })
			again, err := h.Session(t.Context()).Handle()
			must(t, err)
			text, err = color.Get(inside(t, again))
			must(t, err)
			check(t, "color, by a handle of the handle's session", text, "green")
		})
	}
}

// Whatever ends a session or its token is final for the handles from before.
func TestHandleOfWhatIsGone(t *testing.T) {
	for name, gone := range map[string]func(t *testing.T, c *client, m *session.Manager, s *spy, h *session.Handle){
		"ended by its visitor": func(t *testing.T, c *client, m *session.Manager, _ *spy, _ *session.Handle) {
			during(c, m, func(s *session.Session) { must(t, s.End()) })
		},
		"ended by a handle": func(t *testing.T, _ *client, _ *session.Manager, _ *spy, h *session.Handle) {
			must(t, h.Session(t.Context()).End())
		},
		"revoked": func(t *testing.T, _ *client, m *session.Manager, _ *spy, h *session.Handle) {
			must(t, m.End(t.Context(), h.ID()))
		},
		"renewed": func(t *testing.T, c *client, m *session.Manager, _ *spy, _ *session.Handle) {
			during(c, m, func(s *session.Session) { must(t, s.Renew()) })
		},
		"renewed, and the old token forgotten": func(t *testing.T, c *client, m *session.Manager, s *spy, _ *session.Handle) {
			during(c, m, func(s *session.Session) { must(t, s.Renew()) })
			s.advance(store.RetiredFor)
		},
		"expired": func(_ *testing.T, _ *client, _ *session.Manager, s *spy, _ *session.Handle) {
			s.advance(24 * time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, s := newManager(t, &session.Config{IdleTimeout: time.Hour})
			c := newVisitorWith(t, m, "red")
			h := handleOf(t, c, m, nil)
			gone(t, c, m, s, h)
			s.take()
			for what, do := range map[string]func(ctx context.Context, s *session.Session) error{
				"Set": func(ctx context.Context, _ *session.Session) error { return color.Set(ctx, "blue") },
				"Add": func(ctx context.Context, _ *session.Session) error { _, err := visits.Add(ctx, 1); return err },
				"Update": func(ctx context.Context, _ *session.Session) error {
					_, err := color.Update(ctx, func(string) (string, error) { return "blue", nil })
					return err
				},
				"Flash":   func(ctx context.Context, _ *session.Session) error { return flashes.Add(ctx, "info", "hello") },
				"Renew":   func(_ context.Context, s *session.Session) error { return s.Renew() },
				"Reload":  func(ctx context.Context, s *session.Session) error { return s.Reload(ctx) },
				"Handle":  func(_ context.Context, s *session.Session) error { _, err := s.Handle(); return err },
				"Persist": func(_ context.Context, s *session.Session) error { return s.Persist(true) },
			} {
				ctx := inside(t, h)
				checkErr(t, what, do(ctx, session.FromContext(ctx)), session.ErrEnded)
			}
			open := h.Session(t.Context())
			exists, err := open.Exists()
			must(t, err)
			check(t, "Exists", exists, false)
			token, err := open.Token()
			must(t, err)
			check(t, "Token", token, "")
			text, err := color.Get(session.NewContext(t.Context(), open))
			must(t, err)
			check(t, "color", text, "")
			must(t, open.Commit(t.Context()))
			check(t, "commits", s.take().commits, 0)
		})
	}
}

// A handle that was made before the request's own renewal is of the token from before it.
func TestHandleFromBeforeARenewal(t *testing.T) {
	m, _ := newManager(t, nil)
	c := newVisitorWith(t, m, "red")
	var h *session.Handle
	during(c, m, func(s *session.Session) {
		var err error
		h, err = s.Handle()
		must(t, err)
		must(t, s.Renew())
	})
	checkErr(t, "changing", color.Set(inside(t, h), "blue"), session.ErrEnded)
}

// A session that could not be stored is none for its handle either.
func TestHandleOfWhatIsNeverStored(t *testing.T) {
	m, s := newManager(t, nil)
	s.onCommit = fail
	var h *session.Handle
	w := during(newClient(nil), m, func(s *session.Session) {
		must(t, color.Set(session.NewContext(t.Context(), s), "red"))
		var err error
		h, err = s.Handle()
		must(t, err)
	})
	check(t, "status", w.Code, http.StatusServiceUnavailable)
	s.onCommit = nil
	checkErr(t, "changing", color.Set(inside(t, h), "blue"), session.ErrEnded)
}

func TestHandleOfNoSession(t *testing.T) {
	m, s := newManager(t, nil)
	handle := func(want error) func(s *session.Session) {
		return func(s *session.Session) {
			h, err := s.Handle()
			checkErr(t, "Handle", err, want)
			check(t, "there is a handle", h != nil, false)
		}
	}
	check(t, "status without a session", during(newClient(nil), m, handle(session.ErrEnded)).Code, http.StatusOK)
	check(t, "status after End", during(newVisitorWith(t, m, "red"), m, func(s *session.Session) {
		must(t, s.End())
		handle(session.ErrEnded)(s)
	}).Code, http.StatusOK)
	handle(session.ErrNoMiddleware)(session.FromContext(t.Context()))
	c := newVisitorWith(t, m, "red")
	s.onLoad = fail
	w := during(c, m, handle(session.ErrUnavailable))
	check(t, "status where the store fails", w.Code, http.StatusServiceUnavailable)
}

// To read through a handle and commit is use, and is written down as seldom as that of requests.
func TestHandleCountsAsUse(t *testing.T) {
	m, s := newManager(t, &session.Config{IdleTimeout: time.Hour})
	h := handleOf(t, newVisitorWith(t, m, "red"), m, nil)
	use := func() (made calls) {
		s.take()
		open := h.Session(t.Context())
		exists, err := open.Exists()
		must(t, err)
		check(t, "Exists", exists, true)
		must(t, open.Commit(t.Context()))
		return s.take()
	}
	check(t, "store calls at once", use(), calls{loads: 1})
	s.advance(time.Hour/10 - time.Second)
	check(t, "store calls before a tenth of the idle timeout", use(), calls{loads: 1})
	s.advance(time.Second)
	check(t, "store calls after a tenth", use(), calls{loads: 1, commits: 1})
	last := s.lastChange()
	check(t, "the change is a touch", last.Touched && !last.Mutates(), true)
	check(t, "store calls at once after that", use(), calls{loads: 1})
	for range 20 {
		s.advance(time.Hour / 5)
		use()
	}
	check(t, "store calls after four hours of use", use(), calls{loads: 1})
}

func TestSessionsOfAHandleHaveDraftsOfTheirOwn(t *testing.T) {
	m, _ := newManager(t, nil)
	c := newVisitorWith(t, m, "red")
	h := handleOf(t, c, m, nil)
	one, other := inside(t, h), inside(t, h)
	must(t, color.Set(one, "blue"))
	text, err := color.Get(other)
	must(t, err)
	check(t, "color, beside a change that is not committed", text, "red")
	must(t, session.FromContext(one).Commit(one))
	must(t, session.FromContext(other).Reload(other))
	text, err = color.Get(other)
	must(t, err)
	check(t, "color, after Commit and Reload", text, "blue")

	const workers, each = 8, 25
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range workers {
		wg.Go(func() {
			<-start
			for range each {
				ctx := inside(t, h)
				_, err := visits.Add(ctx, 1)
				must(t, err)
				must(t, session.FromContext(ctx).Commit(ctx))
			}
		})
	}
	wg.Go(func() {
		<-start
		for range each {
			during(c, m, func(s *session.Session) { visits.Add(session.NewContext(t.Context(), s), 1) })
		}
	})
	close(start)
	wg.Wait()
	n, err := visits.Get(inside(t, h))
	must(t, err)
	check(t, "visits", n, (workers+1)*each)
}

func TestTokenOfAHandlesSession(t *testing.T) {
	m, _ := newManager(t, nil)
	h := handleOf(t, newVisitorWith(t, m, "red"), m, nil)
	token, err := h.Session(t.Context()).Token()
	must(t, err)
	opened, err := m.Open(t.Context(), token)
	must(t, err)
	check(t, "ID of the session that the token opens", opened.ID(), h.ID())
	r := httptest.NewRequest("GET", "https://example.com/", nil)
	r.Header.Set("Cookie", cookieName+"="+token)
	m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		check(t, "ID by the cookie", session.FromContext(r.Context()).ID(), h.ID())
	})).ServeHTTP(httptest.NewRecorder(), r)
}

// There is no cookie to tell the client of anything.
func TestHandleCannotTellTheClient(t *testing.T) {
	m, s := newManager(t, nil)
	c := newVisitorWith(t, m, "red")
	h := handleOf(t, c, m, nil)
	s.take()
	for what, do := range map[string]func(ctx context.Context, s *session.Session) error{
		"Renew":       func(_ context.Context, s *session.Session) error { return s.Renew() },
		"Persist":     func(_ context.Context, s *session.Session) error { return s.Persist(true) },
		"SetLifetime": func(_ context.Context, s *session.Session) error { return s.SetLifetime(time.Hour) },
		"Remember":    func(_ context.Context, s *session.Session) error { return s.Remember(time.Hour) },
	} {
		ctx := inside(t, h)
		checkErr(t, what, do(ctx, session.FromContext(ctx)), session.ErrTooLate)
		must(t, session.FromContext(ctx).Commit(ctx))
	}
	check(t, "commits", s.take().commits, 0)
	check(t, "color, by the visitor's token", colorOf(t, c, m), "red")

	ctx := inside(t, h)
	must(t, session.FromContext(ctx).End())
	checkErr(t, "Flash.Add after End", flashes.Add(ctx, "info", "bye"), session.ErrTooLate)
	checkErr(t, "Set after End", color.Set(ctx, "blue"), session.ErrEnded)
	must(t, session.FromContext(ctx).Commit(ctx))
	check(t, "sessions", s.mem.Len(), 0)
}

func TestHandleWhereTheStoreFails(t *testing.T) {
	m, s := newManager(t, nil)
	c := newVisitorWith(t, m, "red")
	h := handleOf(t, c, m, nil)
	s.onLoad = fail
	ctx, late := inside(t, h), inside(t, h)
	for _, ctx := range []context.Context{ctx, late} {
		_, err := color.Get(ctx)
		checkErr(t, "reading", err, session.ErrUnavailable)
		checkErr(t, "committing", session.FromContext(ctx).Commit(ctx), session.ErrUnavailable)
	}
	s.onLoad = nil
	must(t, session.FromContext(ctx).Reload(ctx))
	text, err := color.Get(ctx)
	must(t, err)
	check(t, "color, after Reload", text, "red")

	must(t, m.End(t.Context(), h.ID()))
	checkErr(t, "Reload, of a session that has ended meanwhile", session.FromContext(late).Reload(late), session.ErrEnded)
	checkErr(t, "a change after that", color.Set(late, "blue"), session.ErrEnded)
	must(t, session.FromContext(late).Commit(late))
	check(t, "sessions", s.mem.Len(), 0)
}

func TestHandleOutsideHTTP(t *testing.T) {
	m, _ := newManager(t, nil)
	made, err := m.Create(t.Context())
	must(t, err)
	h, err := made.Handle()
	must(t, err)
	must(t, color.Set(inside(t, h), "red"))
	check(t, "ID of a session of Create", h.Session(t.Context()).ID(), made.ID())
	token, err := made.Token()
	must(t, err)
	opened, err := m.Open(t.Context(), token)
	must(t, err)
	must(t, color.Set(session.NewContext(t.Context(), opened), "red"))
	must(t, opened.Commit(t.Context()))
	h, err = opened.Handle()
	must(t, err)
	text, err := color.Get(inside(t, h))
	must(t, err)
	check(t, "color, by a handle of a session of Open", text, "red")
}

// A token that travels over plain HTTP has a signature of its own.
func TestHandleOfPlainHTTP(t *testing.T) {
	m, _ := newManager(t, &session.Config{Cookie: session.Cookie{Name: "s", Secure: session.SecureAuto}})
	var h *session.Handle
	w := httptest.NewRecorder()
	m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		must(t, color.Set(r.Context(), "red"))
		var err error
		h, err = session.FromContext(r.Context()).Handle()
		must(t, err)
	})).ServeHTTP(w, httptest.NewRequest("GET", "http://example.com/", nil))
	text, err := color.Get(inside(t, h))
	must(t, err)
	check(t, "color", text, "red")

	opened, err := m.Open(t.Context(), sentToken(w, "s"))
	must(t, err)
	h, err = opened.Handle()
	must(t, err)
	check(t, "ID, by a handle of a session of Open", h.Session(t.Context()).ID(), opened.ID())
	token, err := h.Session(t.Context()).Token()
	must(t, err)
	opened, err = m.Open(t.Context(), token)
	must(t, err)
	check(t, "ID, by its token", opened.ID(), h.ID())
}

// A session of a handle may have the context of a request of the same Manager.
func TestHandleWithinARequest(t *testing.T) {
	m, _ := newManager(t, nil)
	c := newVisitorWith(t, m, "red")
	h := handleOf(t, c, m, nil)
	newClient(nil).use(func(_ http.ResponseWriter, r *http.Request) {
		ctx := session.NewContext(r.Context(), h.Session(r.Context()))
		text, err := color.Get(ctx)
		must(t, err)
		check(t, "color", text, "red")
		exists, err := session.FromContext(r.Context()).Exists()
		must(t, err)
		check(t, "the request has a session", exists, false)
	}, m).get("/")
}

func TestHandleShowsNoToken(t *testing.T) {
	m, _ := newManager(t, &session.Config{Keys: [][]byte{keyA}})
	token, s := issue(t, m, "alice")
	watch := &secretWatch{t: t, forms: make(map[string]string)}
	watch.guard(token, cookieName)
	h, err := s.Handle()
	must(t, err)
	watch.print("a Handle", h)
	watch.print("a copy of a Handle", *h)
	watch.print("a Handle in a struct", struct{ H *session.Handle }{h})
	watch.print("a Session of a Handle", h.Session(t.Context()))
	check(t, "text", fmt.Sprint(h), "session.Handle("+s.ID().String()+")")
}

func TestBudgetOfHandles(t *testing.T) {
	check(t, "bytes of a Handle are at most 64", unsafe.Sizeof(session.Handle{}) <= 64, true)
	if underRace {
		t.Skip("the race detector allocates as well; make test runs this test without it")
	}
	m := newManagerOn(t, mem.New(nil), nil)
	h := handleOf(t, newVisitorWith(t, m, "red"), m, nil)
	ctx := t.Context()
	for _, tt := range []struct {
		name   string
		do     func()
		allocs float64
		bytes  uint64
	}{
		{"a session that is not used", func() { h.Session(ctx) }, 1, 448},
		{"a session that is read and committed", func() {
			s := h.Session(ctx)
			s.Exists()
			s.Commit(ctx)
		}, 1, 448},
	} {
		if got := fewestAllocs(tt.do); got > tt.allocs {
			t.Errorf("%s: got %v allocations, want at most %v", tt.name, got, tt.allocs)
		}
		if got := fewestBytes(tt.do); got > tt.bytes {
			t.Errorf("%s: got %v bytes, want at most %v", tt.name, got, tt.bytes)
		}
	}
}
