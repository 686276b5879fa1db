package session_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lazysession/session"
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
	outer, s := newManager(t, nil)
	inner := newManagerOn(t, newSpy(), &session.Config{Cookie: session.Cookie{Name: "inner"}})
	for range 50 {
		s.onCommit = nil
		goOn, done := make(chan bool), make(chan bool)
		slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			must(t, user.Set(r.Context(), "ann"))
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
		s.onCommit = fail
		w := httptest.NewRecorder()
		withFive(outer.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			must(t, color.Set(r.Context(), "red"))
		}))).ServeHTTP(w, httptest.NewRequest("GET", "/mallory", nil))
		for _, c := range w.Result().Cookies() {
			r := httptest.NewRequest("GET", "/", nil)
			r.AddCookie(c)
			inner.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				name, _ := user.Get(r.Context())
				t.Fatalf("another visitor got the cookie %s, which opens the session of %q", c.Name, name)
			})).ServeHTTP(httptest.NewRecorder(), r)
		}
	}
}

// A request that only reads, and began before a login of the same browser, must not overwrite the login's cookie.
func TestHostileReaderBesideALoginWithTwoCookies(t *testing.T) {
	for _, what := range []string{"renewed", "ended"} {
		m, _ := newManager(t, nil)
		dead, gone := issue(t, m, "dead")
		must(t, m.End(t.Context(), gone.ID()))
		liveToken, _ := issue(t, m, "ann")
		line := cookieName + "=" + dead + "; " + cookieName + "=" + liveToken
		w := ask(m, line, func(ctx context.Context) {
			wantValue(t, ctx, who, "ann")
			ask(m, line, func(ctx context.Context) { // meanwhile
				if what == "renewed" {
					must(t, session.FromContext(ctx).Renew())
				} else {
					must(t, session.FromContext(ctx).End())
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
		srv, browser := startServer(t, http1, h)
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
	onBothProtocols(t, func(t *testing.T, proto string) {
		srv, browser := startServer(t, proto, deferringHandler(h))
		resp, body := fetch(t, browser, srv.URL)
		check(t, "status", resp.StatusCode, 503)
		check(t, "body", body, "Sessions are unavailable. Nothing may have been saved. Try again.\n")
	})
}

// What an operation carried with it and lost is not made good by a retry of that operation alone.
func TestHostileLostChangesAreNotMadeGoodByARetry(t *testing.T) {
	for _, tt := range []struct {
		name string
		op   func(ctx context.Context) error
	}{
		{"Commit", func(ctx context.Context) error { return session.FromContext(ctx).Commit(ctx) }},
		{"Next", func(ctx context.Context) error { _, err := hits.Next(ctx); return err }},
		{"Update", func(ctx context.Context) error {
			_, err := color.Update(ctx, func(string) (string, error) { return "blue", nil })
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, s := newManager(t, nil)
			v := &visitor{t: t, m: m}
			v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
			res := v.visit(func(ctx context.Context) {
				must(t, user.Set(ctx, "bob"))
				s.onCommit = fail
				checkErr(t, tt.name, tt.op(ctx), session.ErrUnavailable)
				s.onCommit = nil
				must(t, session.FromContext(ctx).Reload(ctx))
				must(t, tt.op(ctx))
			})
			var stored string
			v.visit(func(ctx context.Context) { stored, _ = user.Get(ctx) })
			if res.StatusCode < 400 && stored != "bob" {
				t.Errorf("status %d, %s returned nil at last, and user is %q: want bob or no success", res.StatusCode, tt.name, stored)
			}
		})
	}
}

// Another addition does not make good the one that failed, nor another message.
func TestHostileOtherAdditionsMakeNothingGood(t *testing.T) {
	v := newVisitor(t, &session.Config{MaxBytes: 200})
	res := v.visit(func(ctx context.Context) {
		if flashes.Add(ctx, "error", "your money is gone: "+strings.Repeat("x", 300)) == nil {
			t.Fatal("was taken")
		}
		must(t, flashes.Add(ctx, "info", "ok"))
	})
	if res.StatusCode < 400 {
		t.Errorf("Flash: status %d, one message of two lost", res.StatusCode)
	}
	res = v.visit(func(ctx context.Context) {
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := hits.Add(gone, 5); err == nil {
			t.Fatal("was added")
		}
		_, err := hits.Add(ctx, 1)
		must(t, err)
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
		"Get": func(ctx context.Context) error { _, err := color.Get(ctx); return err },
		"Set": func(ctx context.Context) error { return color.Set(ctx, "blue") },
	} {
		m, s := newManager(t, nil)
		c := newVisitorWith(t, m, "red")
		loading := make(chan bool)
		s.onLoad = func() error {
			close(loading)
			waitForStack("commitBeforeResponse")
			return errStore
		}
		w := c.use(func(w http.ResponseWriter, r *http.Request) {
			var wg sync.WaitGroup
			wg.Go(func() {
				if op(r.Context()) == nil {
					t.Error("no error")
				}
			})
			<-loading
			fmt.Fprint(w, "saved")
			wg.Wait()
		}, m).get("/")
		check(t, name+": status", w.Code, 503)
	}
}

// Error answers whole, whatever length the handler has announced.
func TestHostileErrorAfterContentLength(t *testing.T) {
	for _, accept := range []string{"text/html", "application/json"} {
		srv, browser := startServer(t, http1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
		check(t, accept+": nosniff", resp.Header.Get("X-Content-Type-Options"), "nosniff")
	}
}

// Two live sessions are refused both; but the visitor can log in.
func TestHostileLoginWithTwoLiveCookies(t *testing.T) {
	s := newSpy()
	before := newManagerOn(t, s, &session.Config{Cookie: session.Cookie{Name: "sid"}})
	after := newManagerOn(t, s, &session.Config{Cookie: session.Cookie{Name: "sid", Domain: "example.com"}})
	b, other := newScopedJar("https://example.com/"), newScopedJar("https://example.com/")
	b.visit(before, func(ctx context.Context) { must(t, user.Set(ctx, "old scope")) })
	other.visit(after, func(ctx context.Context) { must(t, user.Set(ctx, "new scope")) })
	for key, line := range other.lines {
		b.lines[key] = line
	}
	b.visit(after, func(ctx context.Context) { wantValue(t, ctx, user, "") })
	for range 3 {
		b.visit(after, func(ctx context.Context) {
			must(t, session.FromContext(ctx).Renew())
			must(t, user.Set(ctx, "ann"))
		})
	}
	b.visit(after, func(ctx context.Context) { wantValue(t, ctx, user, "ann") })
}

// End after a write ends every session that the request has a token of.
func TestHostileEndAfterAWriteWithTwoLiveCookies(t *testing.T) {
	m, s := newManager(t, nil)
	a, _ := issue(t, m, "alice")
	b, _ := issue(t, m, "bob")
	w := ask(m, cookieName+"="+a+"; "+cookieName+"="+b, func(ctx context.Context) {
		must(t, color.Set(ctx, "red"))
		must(t, session.FromContext(ctx).End())
	})
	check(t, "sessions after End said nil", s.mem.Len(), 0)
	check(t, "cookies removed", len(w.Result().Cookies()), 1)
}

// What OnError sets in a session that was to be made is committed, or Set says that it is not.
func TestHostileOnErrorSetsInASessionThatWasNotMade(t *testing.T) {
	var err error
	m, s := newManager(t, &session.Config{MaxBytes: 50, OnError: func(w http.ResponseWriter, r *http.Request, _ error) {
		err = color.Set(r.Context(), "red")
	}})
	v := &visitor{t: t, m: m}
	v.visit(func(ctx context.Context) {
		must(t, user.Set(ctx, "ann"))
		hits.Sub(strings.Repeat("x", 100)).Add(ctx, 1)
	})
	if err == nil && s.mem.Len() == 0 {
		t.Error("Set in OnError returned nil, and nothing is stored")
	}
}

// End returned nil: the cookie goes, also when a message after it can't be stored.
func TestHostileEndThenFlashThenCommitFails(t *testing.T) {
	m, s := newManager(t, nil)
	v := &visitor{t: t, m: m}
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	res := v.visit(func(ctx context.Context) {
		must(t, session.FromContext(ctx).End())
		addFlash(t, ctx, "bye")
		s.onCommit = fail
	})
	check(t, "status", res.StatusCode, 503)
	check(t, "cookie removed", len(res.Cookies()) == 1 && res.Cookies()[0].MaxAge < 0, true)
}

// After End and Flash.Add, all other changes return ErrEnded.
func TestHostileChangesAfterEndAndFlash(t *testing.T) {
	for name, change := range map[string]func(ctx context.Context) error{
		"Delete": func(ctx context.Context) error { return user.Delete(ctx) },
		"Clear":  func(ctx context.Context) error { return session.FromContext(ctx).Clear() },
		"Renew":  func(ctx context.Context) error { return session.FromContext(ctx).Renew() },
	} {
		v := newVisitor(t, nil)
		v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
		v.visit(func(ctx context.Context) {
			must(t, session.FromContext(ctx).End())
			addFlash(t, ctx, "bye")
			checkErr(t, name, change(ctx), session.ErrEnded)
			session.FromContext(ctx).Degrade()
		})
	}
}

// Take of a flash leaves alone what is no message.
func TestHostileFlashTakesMessagesOnly(t *testing.T) {
	v := newVisitor(t, nil)
	cart := session.NewKey[int](flashes.Name()).Sub("42")
	v.visit(func(ctx context.Context) {
		must(t, cart.Set(ctx, 7))
		must(t, session.NewFlash(flashes.Name()+"/sub").Add(ctx, "info", "for another page"))
	})
	v.visit(func(ctx context.Context) {
		messages, _ := flashes.Take(ctx)
		check(t, "messages", len(messages), 0)
		session.FromContext(ctx).Degrade()
	})
	v.visit(func(ctx context.Context) { wantValue(t, ctx, cart, 7) })
}

// "Over TLS … what an attacker on a plain connection has planted or read opens nothing there."
func TestHostileSecureAutoTokenReadInTheClear(t *testing.T) {
	m := newAuto(t, session.Cookie{})
	seen := overHTTP.makeSession(t, m, "ann")
	overTLS.serve(m, func(ctx context.Context) { wantValue(t, ctx, user, "") }, &http.Cookie{Name: "__Host-session", Value: seen.Value})
}

// What a handler does to the header's slices in place is undone as well.
func TestHostileHeaderChangedInPlace(t *testing.T) {
	h, _ := refusing(t, nil, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-One"][0] = "saved"
		fmt.Fprint(w, "saved")
	})
	w := httptest.NewRecorder()
	withFive(h).ServeHTTP(w, httptest.NewRequest("GET", "/a", nil))
	check(t, "X-One", w.Header().Get("X-One"), "/a")
}

// A handler that kept the header's map sends no trailer after a refusal.
func TestHostileTrailerOfARefusedResponse(t *testing.T) {
	onBothProtocols(t, func(t *testing.T, proto string) {
		h, _ := refusing(t, nil, func(w http.ResponseWriter, r *http.Request) {
			header := w.Header()
			header.Set("Trailer", "Declared")
			fmt.Fprint(w, "saved")
			header.Set(http.TrailerPrefix+"Outcome", "saved")
			header.Set("Declared", "saved")
			w.Header().Set(http.TrailerPrefix+"Second", "saved")
		})
		srv, browser := startServer(t, proto, h)
		resp, body := fetch(t, browser, srv.URL)
		wantRefusal(t, resp, body)
		check(t, "trailers", len(resp.Trailer), 0)
	})
}

// An inner Manager whose handler outlives a TimeoutHandler begins its response while the outer one refuses its own.
func TestHostileInnerBeginsWhileOuterRefuses(t *testing.T) {
	outer, s := newManager(t, nil)
	inner := newManagerOn(t, newSpy(), &session.Config{Cookie: session.Cookie{Name: "inner"}})
	s.onCommit = fail
	for range 200 {
		done := make(chan bool)
		h := withFive(outer.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			must(t, color.Set(r.Context(), "red"))
			ctx, cancel := context.WithCancel(r.Context())
			http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(done)
				inner.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					must(t, user.Set(r.Context(), "ann"))
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
	m, s := newManager(t, nil)
	s.onCommit = fail
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
			must(t, color.Set(r.Context(), "red"))
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
	m, _ := newManager(t, &session.Config{MaxBytes: 60, OnError: func(w http.ResponseWriter, r *http.Request, err error) {
		must(t, session.FromContext(r.Context()).End())
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	}})
	v := &visitor{t: t, m: m}
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	res := v.visit(func(ctx context.Context) { user.Set(ctx, strings.Repeat("x", 100)) })
	check(t, "status", res.StatusCode, 303)
	check(t, "cookie removed", len(res.Cookies()) == 1, true)
}

// A response that sets the cookie is never storable by a shared cache, whatever OnError says of caching.
func TestHostileOnErrorCaching(t *testing.T) {
	m, s := newManager(t, &session.Config{OnError: func(w http.ResponseWriter, r *http.Request, err error) {
		w.Header().Set("Cache-Control", "public, max-age=600")
		w.WriteHeader(404)
	}})
	v := &visitor{t: t, m: m}
	v.visit(func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	res := v.visit(func(ctx context.Context) {
		must(t, session.FromContext(ctx).Renew())
		must(t, session.FromContext(ctx).Commit(ctx))
		must(t, user.Set(ctx, "bob"))
		s.onCommit = fail
	})
	check(t, "cookies", len(res.Cookies()), 1)
	if cc := res.Header.Get("Cache-Control"); strings.Contains(cc, "public") {
		t.Errorf("Cache-Control of a response with a token: %q", cc)
	}
}

func TestHostileTrustedProxyMapped(t *testing.T) {
	m, err := session.New(newSpy(), &session.Config{Keys: [][]byte{make([]byte, 32)}, Cookie: session.Cookie{Secure: session.SecureAuto},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}})
	if err != nil {
		return // told
	}
	defer m.Close()
	r := httptest.NewRequest("GET", "http://example.com/", nil)
	r.RemoteAddr = "10.1.2.3:5"
	r.Header.Set("X-Forwarded-Proto", "https")
	w := httptest.NewRecorder()
	m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { user.Set(r.Context(), "x") })).ServeHTTP(w, r)
	if !w.Result().Cookies()[0].Secure {
		t.Error("a prefix in IPv4-mapped form is taken by New and never matches")
	}
}

// A stream below two Managers that both refuse: the client is told to leave the connection.
func TestHostileStreamBelowTwoThatRefuse(t *testing.T) {
	outer, so := newManager(t, nil)
	inner, si := newManager(t, &session.Config{Cookie: session.Cookie{Name: "inner"}})
	so.onCommit, si.onCommit = fail, fail
	srv, browser := startServer(t, http1, outer.Handler(inner.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		must(t, user.Set(r.Context(), "ann"))
		must(t, outer.Session(r.Context()).SetOwner("ann"))
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: 1\n\n")
	}))))
	resp, body := fetch(t, browser, srv.URL)
	wantRefusal(t, resp, body)
	check(t, "the connection is to be closed", resp.Close, true)
}
