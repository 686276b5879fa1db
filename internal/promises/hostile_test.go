package promises_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
)

// withFive is middleware outside that sets a header before the handler.
func withFive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"X-One", "X-Two", "X-Three", "X-Four", "X-Five"} {
			w.Header().Set(name, r.URL.Path)
		}
		next.ServeHTTP(w, r)
	})
}

// A handler that a TimeoutHandler has given up goes on inside an inner Manager. What that Manager tells its client is
// nothing for the next visitor, whose request has got the same undo from the pool.
func TestHostileNobodyGetsTheCookieOfAnother(t *testing.T) {
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

// A request that only reads, and began before a login of the same browser, must not overwrite the login's cookie.
func TestHostileReaderBesideALoginWithTwoCookies(t *testing.T) {
	for _, what := range []string{"renewed", "ended"} {
		m, _ := fixture.NewManager(t, nil)
		dead, gone := fixture.Issue(t, m, "dead")
		expect.OK(t, m.End(t.Context(), gone.ID()))
		liveToken, _ := fixture.Issue(t, m, "ann")
		line := fixture.CookieName + "=" + dead + "; " + fixture.CookieName + "=" + liveToken
		w := ask(m, line, func(ctx context.Context) {
			fixture.Holds(t, ctx, fixture.Who, "ann")
			ask(m, line, func(ctx context.Context) { // meanwhile
				if what == "renewed" {
					expect.OK(t, session.FromContext(ctx).Renew())
				} else {
					expect.OK(t, session.FromContext(ctx).End())
				}
			})
		})
		for _, c := range w.Result().Cookies() {
			t.Errorf("%s meanwhile: the reader's response sets the dead cookie %s…", what, c.Name)
		}
	}
}

// recovering is a recoverer inside a Manager.
func recovering(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}()
		next(w, r)
	}
}

// An OnError whose status net/http refuses panics, inside a recoverer: the answer is no success all the same.
func TestHostileOnErrorWithAnInvalidStatus(t *testing.T) {
	for _, status := range []int{99, 1000, -1, 101} {
		h, _ := refusing(t, &session.Config{OnError: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(status) }},
			recovering(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "saved") }))
		srv, browser := fixture.StartServer(t, fixture.HTTP1, h)
		resp, err := browser.Get(srv.URL)
		if err != nil {
			t.Errorf("OnError with status %d: %v", status, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode < 400 {
			t.Errorf("OnError with status %d: got %d, want no success", status, resp.StatusCode)
		}
	}
}

// A deferring is a writer that writes its header at the end (for an ETag, say), and unwraps for deadlines.
type deferring struct {
	http.ResponseWriter
	status int
	body   strings.Builder
}

func (d *deferring) WriteHeader(status int)      { d.status = status }
func (d *deferring) Write(b []byte) (int, error) { return d.body.Write(b) }
func (d *deferring) Unwrap() http.ResponseWriter { return d.ResponseWriter }
func (d *deferring) finish() {
	d.ResponseWriter.WriteHeader(d.status)
	io.WriteString(d.ResponseWriter, d.body.String())
}
func deferringHandler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d := &deferring{ResponseWriter: w, status: 200}
		next.ServeHTTP(d, r)
		d.finish()
	})
}

// The refusal must not flush past a writer that has not yet written its header: the server would say 200.
func TestHostileRefusalBelowAWriterThatBuffers(t *testing.T) {
	h, _ := refusing(t, nil, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "saved") })
	fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
		srv, browser := fixture.StartServer(t, proto, deferringHandler(h))
		resp, body := fixture.Fetch(t, browser, srv.URL)
		expect.Equal(t, "status", resp.StatusCode, 503)
		expect.Equal(t, "body", body, "Sessions are unavailable. Nothing may have been saved. Try again.\n")
	})
}

// What an operation carried with it and lost is not made good by a retry of that operation alone.
func TestHostileLostChangesAreNotMadeGoodByARetry(t *testing.T) {
	for _, tt := range []struct {
		name string
		op   func(ctx context.Context) error
	}{
		{"Commit", func(ctx context.Context) error { return session.FromContext(ctx).Commit(ctx) }},
		{"Next", func(ctx context.Context) error { _, err := fixture.Hits.Next(ctx); return err }},
		{"Update", func(ctx context.Context) error {
			_, err := fixture.Color.Update(ctx, func(string) (string, error) { return "blue", nil })
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, s := fixture.NewManager(t, nil)
			v := fixture.NewVisitor(t, m)
			v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
			res := v.Visit(func(ctx context.Context) {
				expect.OK(t, fixture.User.Set(ctx, "bob"))
				s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
				expect.Is(t, tt.name, tt.op(ctx), session.ErrUnavailable)
				s.Broken.Mend()
				expect.OK(t, session.FromContext(ctx).Reload(ctx))
				expect.OK(t, tt.op(ctx))
			})
			var stored string
			v.Visit(func(ctx context.Context) { stored, _ = fixture.User.Get(ctx) })
			if res.StatusCode < 400 && stored != "bob" {
				t.Errorf("status %d, %s returned nil at last, and user is %q: want bob or no success", res.StatusCode, tt.name, stored)
			}
		})
	}
}

// Another addition does not make good the one that failed, nor another message.
func TestHostileOtherAdditionsMakeNothingGood(t *testing.T) {
	v := fixture.FirstVisitor(t, &session.Config{MaxBytes: 200})
	res := v.Visit(func(ctx context.Context) {
		if flashes.Add(ctx, "error", "your money is gone: "+strings.Repeat("x", 300)) == nil {
			t.Fatal("was taken")
		}
		expect.OK(t, flashes.Add(ctx, "info", "ok"))
	})
	if res.StatusCode < 400 {
		t.Errorf("Flash: status %d, one message of two lost", res.StatusCode)
	}
	res = v.Visit(func(ctx context.Context) {
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := fixture.Hits.Add(gone, 5); err == nil {
			t.Fatal("was added")
		}
		_, err := fixture.Hits.Add(ctx, 1)
		expect.OK(t, err)
	})
	if res.StatusCode < 400 {
		t.Errorf("Counter: status %d, an addition of 5 lost", res.StatusCode)
	}
}

// waitForStack waits until a goroutine is in a function.
func waitForStack(part string) {
	buf := make([]byte, 1<<20)
	for !strings.Contains(string(buf[:runtime.Stack(buf, true)]), part) {
		time.Sleep(time.Millisecond)
	}
}

// An operation under way when the response begins fails before it has: the response is no success.
func TestHostileFailureWhileTheResponseWaits(t *testing.T) {
	for name, op := range map[string]func(ctx context.Context) error{
		"Get": func(ctx context.Context) error { _, err := fixture.Color.Get(ctx); return err },
		"Set": func(ctx context.Context) error { return fixture.Color.Set(ctx, "blue") },
	} {
		m, s := fixture.NewManager(t, nil)
		c := fixture.NewVisitorWith(t, m, "red")
		loading := make(chan bool)
		s.OnLoad = func() error {
			close(loading)
			waitForStack("commitBeforeResponse")
			return fixture.ErrStore
		}
		w := c.Meet(func(w http.ResponseWriter, r *http.Request) {
			var wg sync.WaitGroup
			wg.Go(func() {
				if op(r.Context()) == nil {
					t.Error("no error")
				}
			})
			<-loading
			fmt.Fprint(w, "saved")
			wg.Wait()
		}).Get("/")
		expect.Equal(t, name+": status", w.Code, 503)
	}
}

// Error answers whole, whatever length the handler has announced.
func TestHostileErrorAfterContentLength(t *testing.T) {
	for _, accept := range []string{"text/html", "application/json"} {
		srv, browser := fixture.StartServer(t, fixture.HTTP1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5")
			w.Header().Set("Etag", `"1"`)
			session.Error(w, r, session.ErrEnded)
		}))
		r, _ := http.NewRequest("GET", srv.URL, nil)
		r.Header.Set("Accept", accept)
		resp, err := browser.Do(r)
		if err != nil {
			t.Errorf("%s: %v", accept, err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || !strings.Contains(string(body), "Load the page again") {
			t.Errorf("%s: got %q, %v", accept, body, err)
		}
		expect.Equal(t, accept+": nosniff", resp.Header.Get("X-Content-Type-Options"), "nosniff")
	}
}

// Two live sessions are refused both; but the visitor can log in.
func TestHostileLoginWithTwoLiveCookies(t *testing.T) {
	s := fixture.NewStore()
	before := fixture.NewManagerOn(t, s, &session.Config{Cookie: session.Cookie{Name: "sid"}})
	after := fixture.NewManagerOn(t, s, &session.Config{Cookie: session.Cookie{Name: "sid", Domain: "example.com"}})
	b, other := newScopedJar("https://example.com/"), newScopedJar("https://example.com/")
	b.visit(before, func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "old scope")) })
	other.visit(after, func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "new scope")) })
	for key, line := range other.lines {
		b.lines[key] = line
	}
	b.visit(after, func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "") })
	for range 3 {
		b.visit(after, func(ctx context.Context) {
			expect.OK(t, session.FromContext(ctx).Renew())
			expect.OK(t, fixture.User.Set(ctx, "ann"))
		})
	}
	b.visit(after, func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann") })
}

// End after a write ends every session that the request has a token of.
func TestHostileEndAfterAWriteWithTwoLiveCookies(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	a, _ := fixture.Issue(t, m, "alice")
	b, _ := fixture.Issue(t, m, "bob")
	w := ask(m, fixture.CookieName+"="+a+"; "+fixture.CookieName+"="+b, func(ctx context.Context) {
		expect.OK(t, fixture.Color.Set(ctx, "red"))
		expect.OK(t, session.FromContext(ctx).End())
	})
	expect.Equal(t, "sessions after End said nil", s.Mem.Len(), 0)
	expect.Equal(t, "cookies removed", len(w.Result().Cookies()), 1)
}

// What OnError sets in a session that was to be made is committed, or Set says that it is not.
func TestHostileOnErrorSetsInASessionThatWasNotMade(t *testing.T) {
	var err error
	m, s := fixture.NewManager(t, &session.Config{MaxBytes: 50, OnError: func(w http.ResponseWriter, r *http.Request, _ error) {
		err = fixture.Color.Set(r.Context(), "red")
	}})
	v := fixture.NewVisitor(t, m)
	v.Visit(func(ctx context.Context) {
		expect.OK(t, fixture.User.Set(ctx, "ann"))
		fixture.Hits.Sub(strings.Repeat("x", 100)).Add(ctx, 1)
	})
	if err == nil && s.Mem.Len() == 0 {
		t.Error("Set in OnError returned nil, and nothing is stored")
	}
}

// What a handler does to the header's slices in place is undone as well.
func TestHostileHeaderChangedInPlace(t *testing.T) {
	h, _ := refusing(t, nil, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-One"][0] = "saved"
		fmt.Fprint(w, "saved")
	})
	w := httptest.NewRecorder()
	withFive(h).ServeHTTP(w, httptest.NewRequest("GET", "/a", nil))
	expect.Equal(t, "X-One", w.Header().Get("X-One"), "/a")
}

// A handler that kept the header's map sends no trailer after a refusal.
func TestHostileTrailerOfARefusedResponse(t *testing.T) {
	fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
		h, _ := refusing(t, nil, func(w http.ResponseWriter, r *http.Request) {
			header := w.Header()
			header.Set("Trailer", "Declared")
			fmt.Fprint(w, "saved")
			header.Set(http.TrailerPrefix+"Outcome", "saved")
			header.Set("Declared", "saved")
			w.Header().Set(http.TrailerPrefix+"Second", "saved")
		})
		srv, browser := fixture.StartServer(t, proto, h)
		resp, body := fixture.Fetch(t, browser, srv.URL)
		wantRefusal(t, resp, body)
		expect.Equal(t, "trailers", len(resp.Trailer), 0)
	})
}

// An inner Manager whose handler outlives a TimeoutHandler begins its response while the outer one refuses its own.
func TestHostileInnerBeginsWhileOuterRefuses(t *testing.T) {
	outer, s := fixture.NewManager(t, nil)
	inner := fixture.NewManagerOn(t, fixture.NewStore(), &session.Config{Cookie: session.Cookie{Name: "inner"}})
	s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	for range 200 {
		done := make(chan bool)
		h := withFive(outer.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			expect.OK(t, fixture.Color.Set(r.Context(), "red"))
			ctx, cancel := context.WithCancel(r.Context())
			http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(done)
				inner.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					expect.OK(t, fixture.User.Set(r.Context(), "ann"))
					cancel()
					fmt.Fprint(w, "hello")
				})).ServeHTTP(w, r)
			}), time.Hour, "too slow").ServeHTTP(w, r.WithContext(ctx))
		})))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/ann", nil))
		<-done
	}
}

// A goroutine of a handler that asks for the header after the request reads what is now another request's.
func TestHostileWriterAfterTheRequest(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	var wg sync.WaitGroup
	for range 200 {
		w := &discards{header: http.Header{"X-One": {"1"}}}
		m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			wg.Go(func() {
				for range 50 {
					w.Header()
					runtime.Gosched()
				}
			})
		})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		w2 := &discards{header: http.Header{"X-One": {"1"}}}
		m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			expect.OK(t, fixture.Color.Set(r.Context(), "red"))
		})).ServeHTTP(w2, httptest.NewRequest("GET", "/", nil))
	}
	wg.Wait()
}

type discards struct{ header http.Header }

func (d *discards) Header() http.Header { return d.header }

func (d *discards) WriteHeader(int) {}

func (d *discards) Write(b []byte) (int, error) { return len(b), nil }

// What OnError changes is committed: also where it ends the session, the cookie goes.
func TestHostileOnErrorEnds(t *testing.T) {
	m, _ := fixture.NewManager(t, &session.Config{MaxBytes: 60, OnError: func(w http.ResponseWriter, r *http.Request, err error) {
		expect.OK(t, session.FromContext(r.Context()).End())
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	}})
	v := fixture.NewVisitor(t, m)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	res := v.Visit(func(ctx context.Context) { fixture.User.Set(ctx, strings.Repeat("x", 100)) })
	expect.Equal(t, "status", res.StatusCode, 303)
	expect.Equal(t, "cookie removed", len(res.Cookies()) == 1, true)
}

// A response that sets the cookie is never storable by a shared cache, whatever OnError says of caching.
func TestHostileOnErrorCaching(t *testing.T) {
	m, s := fixture.NewManager(t, &session.Config{OnError: func(w http.ResponseWriter, r *http.Request, err error) {
		w.Header().Set("Cache-Control", "public, max-age=600")
		w.WriteHeader(404)
	}})
	v := fixture.NewVisitor(t, m)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	res := v.Visit(func(ctx context.Context) {
		expect.OK(t, session.FromContext(ctx).Renew())
		expect.OK(t, session.FromContext(ctx).Commit(ctx))
		expect.OK(t, fixture.User.Set(ctx, "bob"))
		s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	})
	expect.Equal(t, "cookies", len(res.Cookies()), 1)
	if cc := res.Header.Get("Cache-Control"); strings.Contains(cc, "public") {
		t.Errorf("Cache-Control of a response with a token: %q", cc)
	}
}

// A stream below two Managers that both refuse: the client is told to leave the connection.
func TestHostileStreamBelowTwoThatRefuse(t *testing.T) {
	outer, so := fixture.NewManager(t, nil)
	inner, si := fixture.NewManager(t, &session.Config{Cookie: session.Cookie{Name: "inner"}})
	so.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	si.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	srv, browser := fixture.StartServer(t, fixture.HTTP1, outer.Handler(inner.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		expect.OK(t, fixture.User.Set(r.Context(), "ann"))
		expect.OK(t, outer.Session(r.Context()).SetOwner("ann"))
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: 1\n\n")
	}))))
	resp, body := fixture.Fetch(t, browser, srv.URL)
	wantRefusal(t, resp, body)
	expect.Equal(t, "the connection is to be closed", resp.Close, true)
}
