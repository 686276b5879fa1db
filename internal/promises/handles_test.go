package promises_test

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
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// handleOf returns a Handle of a client's session, made by a request that first does something.
func handleOf(t *testing.T, c *fixture.Visitor, m *session.Manager, first func(ctx context.Context)) *session.Handle {
	t.Helper()
	var h *session.Handle
	w := c.Meet(func(_ http.ResponseWriter, r *http.Request) {
		if first != nil {
			first(r.Context())
		}
		var err error
		h, err = session.FromContext(r.Context()).Handle()
		expect.OK(t, err)
	}).Get("/")
	if h == nil || w.Code != http.StatusOK {
		t.Fatalf("making a handle: got status %d and handle %v", w.Code, h)
	}
	return h
}

// during serves a request of a client, which does something with its session.
func during(c *fixture.Visitor, m *session.Manager, do func(s *session.Session)) *httptest.ResponseRecorder {
	return c.Meet(func(_ http.ResponseWriter, r *http.Request) { do(session.FromContext(r.Context())) }).Get("/")
}

// inside returns a context that carries a session of a Handle.
func inside(t *testing.T, h *session.Handle) context.Context {
	return session.NewContext(t.Context(), h.Session(t.Context()))
}

func TestHandleOutlivesItsRequest(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	c := fixture.NewVisitorWith(t, m, "red")
	var ofRequest *session.Session
	s.Take()
	h := handleOf(t, c, m, func(ctx context.Context) { ofRequest = session.FromContext(ctx) })
	expect.Equal(t, "store calls of the request", s.Take(), fixture.Calls{Loads: 1})
	_, err := ofRequest.Exists()
	expect.Is(t, "the request's session, after it", err, session.ErrTooLate)
	_, err = ofRequest.Handle()
	expect.Is(t, "a handle, after it", err, session.ErrTooLate)

	open := h.Session(t.Context())
	expect.OK(t, open.Commit(t.Context()))
	expect.Equal(t, "store calls of a session that is not used", s.Take(), fixture.Calls{})
	ctx := session.NewContext(t.Context(), open)
	text, err := fixture.Color.Get(ctx)
	expect.OK(t, err)
	expect.Equal(t, "color", text, "red")
	expect.Equal(t, "ID", open.ID(), h.ID())
	expect.Equal(t, "store calls of reading", s.Take(), fixture.Calls{Loads: 1})
	expect.OK(t, fixture.Color.Set(ctx, "blue"))
	_, err = fixture.Visits.Add(ctx, 1)
	expect.OK(t, err)
	expect.Equal(t, "store calls before Commit", s.Take(), fixture.Calls{})
	expect.OK(t, open.Commit(ctx))
	expect.Equal(t, "store calls of Commit", s.Take(), fixture.Calls{Commits: 1})
	expect.Equal(t, "color, for the next request", c.Color(), "blue")
}

// A request that makes a session, or gives it a new token, has a handle of what it leaves.
func TestHandleIsOfWhatTheRequestLeaves(t *testing.T) {
	makes := func(ctx context.Context) { expect.OK(t, fixture.Color.Set(ctx, "green")) }
	renews := func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).Renew()) }
	commits := func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).Commit(ctx)) }
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
			m, _ := fixture.NewManager(t, nil)
			c := fixture.NewVisitor(t, m)
			if tt.there {
				c = fixture.NewVisitorWith(t, m, "green")
			}
			h := handleOf(t, c, m, func(ctx context.Context) {
				for _, step := range tt.steps {
					step(ctx)
				}
			})
			text, err := fixture.Color.Get(inside(t, h))
			expect.OK(t, err)
			expect.Equal(t, "color", text, "green")
			during(c, m, func(s *session.Session) { expect.Equal(t, "ID", h.ID(), s.ID()) })
			again, err := h.Session(t.Context()).Handle()
			expect.OK(t, err)
			text, err = fixture.Color.Get(inside(t, again))
			expect.OK(t, err)
			expect.Equal(t, "color, by a handle of the handle's session", text, "green")
		})
	}
}

// A handled is a visitor's session of which there is a Handle.
type handled struct {
	t *testing.T
	m *session.Manager
	s *fixture.Store
	c *fixture.Visitor
	h *session.Handle
}

// Whatever ends a session or its token is final for the handles from before.
func TestHandleOfWhatIsGone(t *testing.T) {
	for name, gone := range map[string]func(x *handled){
		"ended by its visitor": func(x *handled) {
			during(x.c, x.m, func(s *session.Session) { expect.OK(x.t, s.End()) })
		},
		"ended by a handle": func(x *handled) {
			expect.OK(x.t, x.h.Session(x.t.Context()).End())
		},
		"revoked": func(x *handled) {
			expect.OK(x.t, x.m.End(x.t.Context(), x.h.ID()))
		},
		"renewed": func(x *handled) {
			during(x.c, x.m, func(s *session.Session) { expect.OK(x.t, s.Renew()) })
		},
		"renewed, and the old token forgotten": func(x *handled) {
			during(x.c, x.m, func(s *session.Session) { expect.OK(x.t, s.Renew()) })
			x.s.Clock.Advance(store.RetiredFor)
		},
		"expired": func(x *handled) {
			x.s.Clock.Advance(24 * time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, s := fixture.NewManager(t, &session.Config{IdleTimeout: time.Hour})
			c := fixture.NewVisitorWith(t, m, "red")
			h := handleOf(t, c, m, nil)
			gone(&handled{t, m, s, c, h})
			s.Take()
			for what, do := range map[string]func(ctx context.Context, s *session.Session) error{
				"Set": func(ctx context.Context, _ *session.Session) error { return fixture.Color.Set(ctx, "blue") },
				"Add": func(ctx context.Context, _ *session.Session) error { _, err := fixture.Visits.Add(ctx, 1); return err },
				"Update": func(ctx context.Context, _ *session.Session) error {
					_, err := fixture.Color.Update(ctx, func(string) (string, error) { return "blue", nil })
					return err
				},
				"Flash":   func(ctx context.Context, _ *session.Session) error { return flashes.Add(ctx, "info", "hello") },
				"Renew":   func(_ context.Context, s *session.Session) error { return s.Renew() },
				"Reload":  func(ctx context.Context, s *session.Session) error { return s.Reload(ctx) },
				"Handle":  func(_ context.Context, s *session.Session) error { _, err := s.Handle(); return err },
				"Persist": func(_ context.Context, s *session.Session) error { return s.Persist(true) },
			} {
				ctx := inside(t, h)
				expect.Is(t, what, do(ctx, session.FromContext(ctx)), session.ErrEnded)
			}
			open := h.Session(t.Context())
			exists, err := open.Exists()
			expect.OK(t, err)
			expect.Equal(t, "Exists", exists, false)
			token, err := open.Token()
			expect.OK(t, err)
			expect.Equal(t, "Token", token, "")
			text, err := fixture.Color.Get(session.NewContext(t.Context(), open))
			expect.OK(t, err)
			expect.Equal(t, "color", text, "")
			expect.OK(t, open.Commit(t.Context()))
			expect.Equal(t, "commits", s.Take().Commits, 0)
		})
	}
}

// A handle that was made before the request's own renewal is of the token from before it.
func TestHandleFromBeforeARenewal(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	c := fixture.NewVisitorWith(t, m, "red")
	var h *session.Handle
	during(c, m, func(s *session.Session) {
		var err error
		h, err = s.Handle()
		expect.OK(t, err)
		expect.OK(t, s.Renew())
	})
	expect.Is(t, "changing", fixture.Color.Set(inside(t, h), "blue"), session.ErrEnded)
}

// A session that could not be stored is none for its handle either.
func TestHandleOfWhatIsNeverStored(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	var h *session.Handle
	w := during(fixture.NewVisitor(t, m), m, func(s *session.Session) {
		expect.OK(t, fixture.Color.Set(session.NewContext(t.Context(), s), "red"))
		var err error
		h, err = s.Handle()
		expect.OK(t, err)
	})
	expect.Equal(t, "status", w.Code, http.StatusServiceUnavailable)
	s.Broken.Mend()
	expect.Is(t, "changing", fixture.Color.Set(inside(t, h), "blue"), session.ErrEnded)
}

func TestHandleOfNoSession(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	handle := func(want error) func(s *session.Session) {
		return func(s *session.Session) {
			h, err := s.Handle()
			expect.Is(t, "Handle", err, want)
			expect.Equal(t, "there is a handle", h != nil, false)
		}
	}
	w := during(fixture.NewVisitor(t, m), m, handle(session.ErrEnded))
	expect.Equal(t, "status without a session", w.Code, http.StatusOK)
	expect.Equal(t, "status after End", during(fixture.NewVisitorWith(t, m, "red"), m, func(s *session.Session) {
		expect.OK(t, s.End())
		handle(session.ErrEnded)(s)
	}).Code, http.StatusOK)
	handle(session.ErrNoMiddleware)(session.FromContext(t.Context()))
	c := fixture.NewVisitorWith(t, m, "red")
	s.Broken.Fail(fixture.ErrStore, sessiontest.Load)
	w = during(c, m, handle(session.ErrUnavailable))
	expect.Equal(t, "status where the store fails", w.Code, http.StatusServiceUnavailable)
}

// To read through a handle and commit is use, and is written down as seldom as that of requests.
func TestHandleCountsAsUse(t *testing.T) {
	m, s := fixture.NewManager(t, &session.Config{IdleTimeout: time.Hour})
	h := handleOf(t, fixture.NewVisitorWith(t, m, "red"), m, nil)
	use := func() (made fixture.Calls) {
		s.Take()
		open := h.Session(t.Context())
		exists, err := open.Exists()
		expect.OK(t, err)
		expect.Equal(t, "Exists", exists, true)
		expect.OK(t, open.Commit(t.Context()))
		return s.Take()
	}
	expect.Equal(t, "store calls at once", use(), fixture.Calls{Loads: 1})
	s.Clock.Advance(time.Hour/10 - time.Second)
	expect.Equal(t, "store calls before a tenth of the idle timeout", use(), fixture.Calls{Loads: 1})
	s.Clock.Advance(time.Second)
	expect.Equal(t, "store calls after a tenth", use(), fixture.Calls{Loads: 1, Commits: 1})
	last := s.LastChange()
	expect.Equal(t, "the change is a touch", last.Touched && !last.Mutates(), true)
	expect.Equal(t, "store calls at once after that", use(), fixture.Calls{Loads: 1})
	for range 20 {
		s.Clock.Advance(time.Hour / 5)
		use()
	}
	expect.Equal(t, "store calls after four hours of use", use(), fixture.Calls{Loads: 1})
}

func TestSessionsOfAHandleHaveDraftsOfTheirOwn(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	c := fixture.NewVisitorWith(t, m, "red")
	h := handleOf(t, c, m, nil)
	one, other := inside(t, h), inside(t, h)
	expect.OK(t, fixture.Color.Set(one, "blue"))
	text, err := fixture.Color.Get(other)
	expect.OK(t, err)
	expect.Equal(t, "color, beside a change that is not committed", text, "red")
	expect.OK(t, session.FromContext(one).Commit(one))
	expect.OK(t, session.FromContext(other).Reload(other))
	text, err = fixture.Color.Get(other)
	expect.OK(t, err)
	expect.Equal(t, "color, after Commit and Reload", text, "blue")

	const workers, each = 8, 25
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range workers {
		wg.Go(func() {
			<-start
			for range each {
				ctx := inside(t, h)
				_, err := fixture.Visits.Add(ctx, 1)
				expect.OK(t, err)
				expect.OK(t, session.FromContext(ctx).Commit(ctx))
			}
		})
	}
	wg.Go(func() {
		<-start
		for range each {
			during(c, m, func(s *session.Session) { fixture.Visits.Add(session.NewContext(t.Context(), s), 1) })
		}
	})
	close(start)
	wg.Wait()
	n, err := fixture.Visits.Get(inside(t, h))
	expect.OK(t, err)
	expect.Equal(t, "visits", n, (workers+1)*each)
}

func TestTokenOfAHandlesSession(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	h := handleOf(t, fixture.NewVisitorWith(t, m, "red"), m, nil)
	token, err := h.Session(t.Context()).Token()
	expect.OK(t, err)
	opened, err := m.Open(t.Context(), token)
	expect.OK(t, err)
	expect.Equal(t, "ID of the session that the token opens", opened.ID(), h.ID())
	r := httptest.NewRequest("GET", "https://example.com/", nil)
	r.Header.Set("Cookie", fixture.CookieName+"="+token)
	m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		expect.Equal(t, "ID by the cookie", session.FromContext(r.Context()).ID(), h.ID())
	})).ServeHTTP(httptest.NewRecorder(), r)
}

// There is no cookie to tell the client of anything.
func TestHandleCannotTellTheClient(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	c := fixture.NewVisitorWith(t, m, "red")
	h := handleOf(t, c, m, nil)
	s.Take()
	for what, do := range map[string]func(ctx context.Context, s *session.Session) error{
		"Renew":       func(_ context.Context, s *session.Session) error { return s.Renew() },
		"Persist":     func(_ context.Context, s *session.Session) error { return s.Persist(true) },
		"SetLifetime": func(_ context.Context, s *session.Session) error { return s.SetLifetime(time.Hour) },
		"Remember":    func(_ context.Context, s *session.Session) error { return s.Remember(time.Hour) },
	} {
		ctx := inside(t, h)
		expect.Is(t, what, do(ctx, session.FromContext(ctx)), session.ErrTooLate)
		expect.OK(t, session.FromContext(ctx).Commit(ctx))
	}
	expect.Equal(t, "commits", s.Take().Commits, 0)
	expect.Equal(t, "color, by the visitor's token", c.Color(), "red")

	ctx := inside(t, h)
	expect.OK(t, session.FromContext(ctx).End())
	expect.Is(t, "Flash.Add after End", flashes.Add(ctx, "info", "bye"), session.ErrTooLate)
	expect.Is(t, "Set after End", fixture.Color.Set(ctx, "blue"), session.ErrEnded)
	expect.OK(t, session.FromContext(ctx).Commit(ctx))
	expect.Equal(t, "sessions", s.Mem.Len(), 0)
}

func TestHandleWhereTheStoreFails(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	c := fixture.NewVisitorWith(t, m, "red")
	h := handleOf(t, c, m, nil)
	s.Broken.Fail(fixture.ErrStore, sessiontest.Load)
	ctx, late := inside(t, h), inside(t, h)
	for _, ctx := range []context.Context{ctx, late} {
		_, err := fixture.Color.Get(ctx)
		expect.Is(t, "reading", err, session.ErrUnavailable)
		expect.Is(t, "committing", session.FromContext(ctx).Commit(ctx), session.ErrUnavailable)
	}
	s.Broken.Mend()
	expect.OK(t, session.FromContext(ctx).Reload(ctx))
	text, err := fixture.Color.Get(ctx)
	expect.OK(t, err)
	expect.Equal(t, "color, after Reload", text, "red")

	expect.OK(t, m.End(t.Context(), h.ID()))
	expect.Is(t, "Reload, of a session that has ended meanwhile", session.FromContext(late).Reload(late), session.ErrEnded)
	expect.Is(t, "a change after that", fixture.Color.Set(late, "blue"), session.ErrEnded)
	expect.OK(t, session.FromContext(late).Commit(late))
	expect.Equal(t, "sessions", s.Mem.Len(), 0)
}

func TestHandleOutsideHTTP(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	made, err := m.Create(t.Context())
	expect.OK(t, err)
	h, err := made.Handle()
	expect.OK(t, err)
	expect.OK(t, fixture.Color.Set(inside(t, h), "red"))
	expect.Equal(t, "ID of a session of Create", h.Session(t.Context()).ID(), made.ID())
	token, err := made.Token()
	expect.OK(t, err)
	opened, err := m.Open(t.Context(), token)
	expect.OK(t, err)
	expect.OK(t, fixture.Color.Set(session.NewContext(t.Context(), opened), "red"))
	expect.OK(t, opened.Commit(t.Context()))
	h, err = opened.Handle()
	expect.OK(t, err)
	text, err := fixture.Color.Get(inside(t, h))
	expect.OK(t, err)
	expect.Equal(t, "color, by a handle of a session of Open", text, "red")
}

// A token that travels over plain HTTP has a signature of its own.
func TestHandleOfPlainHTTP(t *testing.T) {
	m, _ := fixture.NewManager(t, &session.Config{Cookie: session.Cookie{Name: "s", Secure: session.SecureAuto}})
	var h *session.Handle
	w := httptest.NewRecorder()
	m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		expect.OK(t, fixture.Color.Set(r.Context(), "red"))
		var err error
		h, err = session.FromContext(r.Context()).Handle()
		expect.OK(t, err)
	})).ServeHTTP(w, httptest.NewRequest("GET", "http://example.com/", nil))
	text, err := fixture.Color.Get(inside(t, h))
	expect.OK(t, err)
	expect.Equal(t, "color", text, "red")

	opened, err := m.Open(t.Context(), fixture.SentToken(w, "s"))
	expect.OK(t, err)
	h, err = opened.Handle()
	expect.OK(t, err)
	expect.Equal(t, "ID, by a handle of a session of Open", h.Session(t.Context()).ID(), opened.ID())
	token, err := h.Session(t.Context()).Token()
	expect.OK(t, err)
	opened, err = m.Open(t.Context(), token)
	expect.OK(t, err)
	expect.Equal(t, "ID, by its token", opened.ID(), h.ID())
}

// A session of a handle may have the context of a request of the same Manager.
func TestHandleWithinARequest(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	c := fixture.NewVisitorWith(t, m, "red")
	h := handleOf(t, c, m, nil)
	fixture.NewVisitor(t, m).Meet(func(_ http.ResponseWriter, r *http.Request) {
		ctx := session.NewContext(r.Context(), h.Session(r.Context()))
		text, err := fixture.Color.Get(ctx)
		expect.OK(t, err)
		expect.Equal(t, "color", text, "red")
		exists, err := session.FromContext(r.Context()).Exists()
		expect.OK(t, err)
		expect.Equal(t, "the request has a session", exists, false)
	}).Get("/")
}

func TestHandleShowsNoToken(t *testing.T) {
	m, _ := fixture.NewManager(t, &session.Config{Keys: [][]byte{fixture.KeyA}})
	token, s := fixture.Issue(t, m, "alice")
	watch := &secretWatch{t: t, forms: make(map[string]string)}
	watch.guard(token, fixture.CookieName)
	h, err := s.Handle()
	expect.OK(t, err)
	watch.print("a Handle", h)
	watch.print("a copy of a Handle", *h)
	watch.print("a Handle in a struct", struct{ H *session.Handle }{h})
	watch.print("a Session of a Handle", h.Session(t.Context()))
	expect.Equal(t, "text", fmt.Sprint(h), "session.Handle("+s.ID().String()+")")
}

func TestBudgetOfHandles(t *testing.T) {
	expect.Equal(t, "bytes of a Handle are at most 64", unsafe.Sizeof(session.Handle{}) <= 64, true)
	if underRace {
		t.Skip("the race detector allocates as well; make test runs this test without it")
	}
	m := fixture.NewManagerOn(t, mem.New(nil), nil)
	h := handleOf(t, fixture.NewVisitorWith(t, m, "red"), m, nil)
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
