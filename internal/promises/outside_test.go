package promises_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store"
)

func TestOutsideNothingPrintsASession(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	v.Visit(func(ctx context.Context) {
		fixture.Holds(t, ctx, fixture.User, "ann")
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if strings.Contains(fmt.Sprintf(verb, session.FromContext(ctx)), v.Cookie().Value) {
				t.Errorf("%s of a Session prints its token", verb)
			}
		}
	})
}

func TestOutsidePoolKeepsHeadersApart(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	h := withFive(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-One", "handler")
		w.Header().Set("X-Mine", r.URL.Path)
		if strings.HasSuffix(r.URL.Path, "0") {
			expect.OK(t, fixture.Color.Set(r.Context(), "red"))
		}
		fmt.Fprint(w, "saved")
	})))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				path := fmt.Sprintf("/%d/%d", g, i)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
				refused := i%10 == 0
				want := map[bool]string{true: path, false: "handler"}[refused]
				if got := w.Header().Get("X-One"); got != want {
					t.Errorf("%s: X-One: got %q, want %q", path, got, want)
				}
				for _, name := range []string{"X-Two", "X-Three", "X-Four", "X-Five"} {
					if got := w.Header().Get(name); got != path {
						t.Errorf("%s: %s: got %q", path, name, got)
					}
				}
				if refused && w.Header().Get("X-Mine") != "" {
					t.Errorf("%s: the handler's header is left", path)
				}
			}
		})
	}
	wg.Wait()
}

func TestOutsideFiveHeadersCostNothing(t *testing.T) {
	if underRace {
		t.Skip("the race detector drops from pools")
	}
	m, _ := fixture.NewManager(t, nil)
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})
	h := m.Handler(hello)
	w := httptest.NewRecorder()
	for i := range 5 {
		w.Header().Set(fmt.Sprint("X-", i), "1")
	}
	expect.Equal(t, "allocations", allocsOver(hello, h, w, httptest.NewRequest("GET", "/", nil)), 1)
}

// Goroutines that outlive their handler use the session in every way while the response is refused and after.
func TestOutsideGoroutinesOutliveARefusedHandler(t *testing.T) {
	m, s := fixture.NewManager(t, &session.Config{OnError: func(w http.ResponseWriter, r *http.Request, err error) {
		flashes.Add(r.Context(), "error", "sorry")
		session.Error(w, r, err)
	}})
	c := fixture.NewVisitorWith(t, m, "red")
	before := runtime.NumGoroutine()
	var wg sync.WaitGroup
	for i := range 200 {
		s.Broken.Mend()
		if i%2 == 0 {
			s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
		}
		tab := c.Meet(func(w http.ResponseWriter, r *http.Request) {
			ctx := r.Context()
			started := make(chan bool, 6)
			for g := range 6 {
				wg.Go(func() {
					started <- true
					x := session.FromContext(ctx)
					for range 5 {
						switch g {
						case 0:
							fixture.Color.Get(ctx)
							fixture.Color.Set(ctx, "x")
						case 1:
							x.Degrade()
							fixture.Hits.Add(ctx, 1)
						case 2:
							fixture.Hits.Next(ctx)
						case 3:
							flashes.Add(ctx, "a", "b")
							flashes.Take(ctx)
							x.Info()
						case 4:
							x.Reload(ctx)
							x.Commit(ctx)
							fixture.User.Sub("").Get(ctx)
						case 5:
							fixture.Color.Update(ctx, func(string) (string, error) { return "y", nil })
							x.Token()
							x.ID()
						}
					}
				})
			}
			for range 6 {
				<-started
			}
			fmt.Fprint(w, "saved")
		})
		w := tab.Get("/")
		if w.Code != 200 && w.Code != 503 && w.Code != 409 && w.Code != 500 {
			t.Fatal(w.Code)
		}
		wg.Wait()
		s.Broken.Mend()
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("goroutines: %d before, %d after", before, runtime.NumGoroutine())
}

// Two Managers, both orders, each refusing, both: the answer is one whole 503, and who was told of a token keeps it.
func TestOutsideNestedManagers(t *testing.T) {
	fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
		for _, tt := range []struct{ outer, inner bool }{{true, false}, {false, true}, {true, true}, {false, false}} {
			outer, so := fixture.NewManager(t, nil)
			inner, si := fixture.NewManager(t, &session.Config{Cookie: session.Cookie{Name: "inner"}})
			if tt.outer {
				so.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
			}
			if tt.inner {
				si.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
			}
			srv, browser := fixture.StartServer(t, proto, withFive(outer.Handler(inner.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				expect.OK(t, fixture.User.Set(r.Context(), "ann"))
				expect.OK(t, outer.Session(r.Context()).SetOwner("ann"))
				w.Header().Set("X-One", "saved")
				w.Header().Set("Content-Length", "5")
				fmt.Fprint(w, "saved")
			})))))
			resp, body := fixture.Fetch(t, browser, srv.URL+"/p")
			if tt.outer || tt.inner {
				wantRefusal(t, resp, body)
				expect.Equal(t, "X-One", resp.Header.Get("X-One"), "/p")
			} else {
				expect.Equal(t, "body", body, "saved")
			}
			got := ""
			for _, c := range resp.Cookies() {
				got += c.Name + " "
			}
			want := ""
			if !tt.inner {
				want += "inner "
			}
			if !tt.outer {
				want += fixture.CookieName + " "
			}
			expect.Equal(t, fmt.Sprint(tt, " cookies"), got, want)
		}
	})
}

// A gzipLate sets its header when the handler writes its own.
type gzipLate struct {
	http.ResponseWriter
	z *gzip.Writer
}

func (g *gzipLate) WriteHeader(status int) {
	if g.z == nil && status >= 200 && status != 204 && status != 304 {
		g.Header().Set("Content-Encoding", "gzip")
		g.Header().Del("Content-Length")
		g.z = gzip.NewWriter(g.ResponseWriter)
	}
	g.ResponseWriter.WriteHeader(status)
}

func (g *gzipLate) Write(b []byte) (int, error) {
	if g.z == nil {
		g.WriteHeader(200)
	}
	return g.z.Write(b)
}

func (g *gzipLate) Unwrap() http.ResponseWriter { return g.ResponseWriter }

func TestOutsideOnServers(t *testing.T) {
	late := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			g := &gzipLate{ResponseWriter: w}
			next.ServeHTTP(g, r)
			if g.z != nil {
				g.z.Close()
			}
		})
	}
	pass := func(next http.Handler) http.Handler { return next }
	say := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "saved") }
	status := func(n int) http.HandlerFunc { return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(n) } }
	for _, tt := range []struct {
		name    string
		outside func(http.Handler) http.Handler
		method  string
		do      http.HandlerFunc
	}{
		{"HEAD", pass, "HEAD", say},
		{"204", pass, "GET", status(204)},
		{"304", pass, "GET", status(304)},
		{"302", pass, "GET", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) }},
		{"101", pass, "GET", status(101)},
		{"100 then", pass, "GET", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(100); say(w, r) }},
		{"103 then", pass, "GET", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</x>")
			w.WriteHeader(103)
			say(w, r)
		}},
		{"nothing written", pass, "GET", func(w http.ResponseWriter, r *http.Request) {}},
		{"length announced", pass, "GET", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "5"); say(w, r) }},
		{"ReadFrom", pass, "GET", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, strings.NewReader("saved")) }},
		{"ServeContent", pass, "GET", func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "a.txt", time.Now(), strings.NewReader("saved"))
		}},
		{"gzip at WriteHeader", late, "GET", say},
		{"gzip before", compress, "GET", say},
		{"TimeoutHandler outside", func(h http.Handler) http.Handler { return http.TimeoutHandler(h, time.Minute, "") }, "GET", say},
		{"TimeoutHandler inside", pass, "GET", http.TimeoutHandler(http.HandlerFunc(say), time.Minute, "").ServeHTTP},
		{"MaxBytesHandler outside", func(h http.Handler) http.Handler { return http.MaxBytesHandler(h, 10) }, "POST", func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			say(w, r)
		}},
		{"MaxBytesHandler inside", pass, "POST", http.MaxBytesHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			say(w, r)
		}), 10).ServeHTTP},
		{"body unread", pass, "POST", say},
		{"full duplex", pass, "POST", func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			say(w, r)
			io.CopyN(io.Discard, r.Body, 1)
		}},
		{"ErrAbortHandler", pass, "GET", func(w http.ResponseWriter, r *http.Request) {
			if _, err := w.Write([]byte("saved")); err != nil {
				panic(http.ErrAbortHandler)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
				if proto == fixture.HTTP2 && tt.name == "101" {
					t.Skip()
				}
				h, _ := refusing(t, nil, tt.do)
				srv, browser := fixture.StartServer(t, proto, withFive(tt.outside(h)))
				for _, continues := range []bool{false, true} {
					if continues && (tt.method != "POST" || tt.name == "full duplex") {
						continue
					}
					var body io.Reader
					if tt.method == "POST" {
						body = strings.NewReader(strings.Repeat("x", 5000))
					}
					r, _ := http.NewRequest(tt.method, srv.URL+"/p", body)
					if continues {
						r.Header.Set("Expect", "100-continue")
						browser.Transport.(*http.Transport).ExpectContinueTimeout = 5 * time.Second
					}
					r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error { return nil }}))
					resp, err := browser.Do(r)
					if err != nil {
						t.Fatal(err)
					}
					text, err := io.ReadAll(resp.Body)
					expect.OK(t, err)
					resp.Body.Close()
					expect.Equal(t, "status", resp.StatusCode, 503)
					expect.Equal(t, "X-One", resp.Header.Get("X-One"), "/p")
					if resp.Header.Get("Content-Encoding") == "gzip" {
						z, err := gzip.NewReader(bytes.NewReader(text))
						expect.OK(t, err)
						text, err = io.ReadAll(z)
						expect.OK(t, err)
					}
					if tt.method != "HEAD" && !strings.HasPrefix(string(text), "Sessions are unavailable.") {
						t.Errorf("body %q", text)
					}
					for _, name := range []string{"Link", "Location", "Etag", "Last-Modified", "Accept-Ranges"} {
						expect.Equal(t, name, resp.Header.Get(name), "")
					}
				}
			})
		})
	}
}

// SSE through a proxy inside that goes on for ever: the client has the 503, and the handler ends.
func TestOutsideProxiedStream(t *testing.T) {
	fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
		upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for r.Context().Err() == nil {
				fmt.Fprint(w, "data: 1\n\n")
				w.(http.Flusher).Flush()
			}
		}))
		defer upstream.Close()
		target, _ := url.Parse(upstream.URL)
		proxy := httputil.NewSingleHostReverseProxy(target)
		proxy.ErrorLog = log.New(io.Discard, "", 0)
		ended := make(chan bool, 1)
		h, _ := refusing(t, nil, func(w http.ResponseWriter, r *http.Request) {
			defer func() { ended <- true }()
			proxy.ServeHTTP(w, r)
		})
		srv, browser := fixture.StartServer(t, proto, h)
		resp, body := fixture.Fetch(t, browser, srv.URL)
		wantRefusal(t, resp, body)
		<-ended
	})
}

// OnError in every mood: the answer is whole, and no success unless OnError says so.
func TestOutsideOnErrorMoods(t *testing.T) {
	var m *session.Manager
	for name, onError := range map[string]func(w http.ResponseWriter, r *http.Request, err error){
		"hijacks": func(w http.ResponseWriter, r *http.Request, err error) {
			if _, _, err := http.NewResponseController(w).Hijack(); err == nil {
				t.Error("hijacked")
			}
		},
		"flushes": func(w http.ResponseWriter, r *http.Request, err error) { http.NewResponseController(w).Flush() },
		"Error":   session.Error,
		"redirects": func(w http.ResponseWriter, r *http.Request, err error) {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
		},
		"ends": func(w http.ResponseWriter, r *http.Request, err error) {
			session.FromContext(r.Context()).End()
			session.Error(w, r, err)
		},
		"commits, reloads, degrades": func(w http.ResponseWriter, r *http.Request, err error) {
			s := session.FromContext(r.Context())
			s.Degrade()
			s.Reload(r.Context())
			fixture.Color.Set(r.Context(), "green")
			s.Commit(r.Context())
			s.Renew()
			s.Remember(time.Hour)
			fixture.Color.Update(r.Context(), func(string) (string, error) { return "x", nil })
			fixture.Hits.Next(r.Context())
		},
		"serves an app of the same Manager": func(w http.ResponseWriter, r *http.Request, err error) {
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fixture.Color.Get(r.Context())
				w.WriteHeader(500)
			})).ServeHTTP(w, r)
		},
		"panics with ErrAbortHandler": func(w http.ResponseWriter, r *http.Request, err error) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			var s *fixture.Store
			m, s = fixture.NewManager(t, &session.Config{OnError: onError})
			s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
			h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fixture.Color.Set(r.Context(), "red")
				fmt.Fprint(w, "saved")
			}))
			srv, browser := fixture.StartServer(t, fixture.HTTP1, h)
			browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			resp, err := browser.Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			expect.OK(t, err)
			if resp.StatusCode < 300 || strings.Contains(string(body), "saved\x00") {
				t.Errorf("%d %q", resp.StatusCode, body)
			}
			expect.Equal(t, "length", resp.ContentLength, int64(len(body)))
		})
	}
}

// Retired, ended, absent and fresh sessions, and every method.
func TestOutsideStatesAndMethods(t *testing.T) {
	want := map[string][4]string{ // retired, ended elsewhere, ended here, absent
		"ID": {"", "", "", ""}, "Exists": {"", "", "", ""}, "Info": {"", "", "", ""}, "Names": {"", "", "", ""}, "Values": {"", "", "", ""},
		"Owner": {"", "", "", ""}, "Token": {"", "", "", ""}, "Get": {"", "", "", ""}, "Lookup": {"", "", "", ""}, "Take": {"", "", "", ""},
		"Counter.Get": {"", "", "", ""}, "Flash.Take": {"", "", "", ""}, "Commit": {"", "", "", ""},
		"Delete": {"E", "", "E", ""}, "Clear": {"E", "", "E", ""}, "Renew": {"E", "", "E", ""}, "End": {"E", "", "", ""},
		"Reload": {"E", "", "E", ""}, "Flash.Add": {"E", "", "", ""},
	}
	ops := operationsOfASession
	ops = append(ops[:len(ops):len(ops)], []struct {
		name string
		do   func(ctx context.Context, s *session.Session) error
	}{
		{"Flash.Add", func(ctx context.Context, _ *session.Session) error { return flashes.Add(ctx, "i", "x") }},
		{"Flash.Take", func(ctx context.Context, _ *session.Session) error { _, err := flashes.Take(ctx); return err }},
		{"Next", func(ctx context.Context, _ *session.Session) error { _, err := fixture.Hits.Next(ctx); return err }},
		{"Remember", func(_ context.Context, s *session.Session) error { return s.Remember(time.Hour) }},
		{"Commit", func(ctx context.Context, s *session.Session) error { return s.Commit(ctx) }},
		{"Reload", func(ctx context.Context, s *session.Session) error { return s.Reload(ctx) }},
	}...)
	for _, op := range ops {
		for i, state := range []string{"retired", "ended elsewhere", "ended here", "absent"} {
			v := fixture.FirstVisitor(t, nil)
			if state != "absent" {
				v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
			}
			tab := v.Clone()
			switch state {
			case "retired":
				v.Visit(func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).Renew()) })
			case "ended elsewhere":
				v.Visit(func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).End()) })
			}
			cookies := len(tab.Visit(func(ctx context.Context) {
				s := session.FromContext(ctx)
				s.Exists() // the state is known
				if state == "ended here" {
					expect.OK(t, s.End())
				}
				err := op.do(ctx, s)
				if op.name == "ID" {
					err = nil
				}
				w, ok := want[op.name]
				if !ok {
					w = [4]string{"E", "", "E", ""}
				}
				var wantErr error
				if w[i] == "E" {
					wantErr = session.ErrEnded
				}
				expect.Is(t, state+": "+op.name, err, wantErr)
			}).Cookies())
			if state == "retired" && cookies > 0 {
				t.Errorf("%s: %s sets a cookie", state, op.name)
			}
		}
	}
}

// Every operation whose reply is lost, applied or not, with loads that work or fail afterwards.
func TestOutsideLostReplies(t *testing.T) {
	type op struct {
		name string
		had  bool // a session before
		do   func(ctx context.Context) error
		end  bool
	}
	get := session.FromContext
	ops := []op{
		{"creation", false, func(ctx context.Context) error { return fixture.User.Set(ctx, "bob") }, false},
		{"creation by Next", false, func(ctx context.Context) error {
			fixture.User.Set(ctx, "bob")
			_, err := fixture.Hits.Next(ctx)
			return err
		}, false},
		{"creation by Flash", false, func(ctx context.Context) error { return flashes.Add(ctx, "i", "x") }, false},
		{"creation by Update", false, func(ctx context.Context) error {
			_, err := fixture.User.Update(ctx, func(string) (string, error) { return "bob", nil })
			return err
		}, false},
		{"creation by Remember", false, func(ctx context.Context) error { fixture.User.Set(ctx, "bob"); return get(ctx).Remember(time.Hour) }, false},
		{"renewal", true, func(ctx context.Context) error { fixture.User.Set(ctx, "bob"); return get(ctx).Renew() }, false},
		{"renewal by Next", true, func(ctx context.Context) error { get(ctx).Renew(); _, err := fixture.Hits.Next(ctx); return err }, false},
		{"renewal by Update", true, func(ctx context.Context) error {
			get(ctx).Renew()
			_, err := fixture.User.Update(ctx, func(string) (string, error) { return "bob", nil })
			return err
		}, false},
		{"renewal by Commit", true, func(ctx context.Context) error {
			fixture.User.Set(ctx, "bob")
			get(ctx).Renew()
			return get(ctx).Commit(ctx)
		}, false},
		{"change", true, func(ctx context.Context) error { fixture.Hits.Add(ctx, 1); return fixture.User.Set(ctx, "bob") }, false},
		{"Next", true, func(ctx context.Context) error { _, err := fixture.Hits.Next(ctx); return err }, false},
		{"Update", true, func(ctx context.Context) error {
			fixture.Hits.Add(ctx, 1)
			_, err := fixture.User.Update(ctx, func(string) (string, error) { return "bob", nil })
			return err
		}, false},
		{"Flash", true, func(ctx context.Context) error { return flashes.Add(ctx, "i", "x") }, false},
		{"Remember", true, func(ctx context.Context) error { return get(ctx).Remember(1000 * time.Hour) }, false},
		{"end", true, func(ctx context.Context) error { return get(ctx).End() }, true},
		{"end and flash", true, func(ctx context.Context) error { get(ctx).End(); return flashes.Add(ctx, "i", "x") }, true},
	}
	for _, op := range ops {
		for _, applied := range []bool{true, false} {
			for _, load := range []error{nil, fixture.ErrStore} {
				for _, degrade := range []bool{false, true} {
					name := fmt.Sprintf("%s, applied %v, load %v, degrade %v", op.name, applied, load, degrade)
					m, s := fixture.NewManager(t, nil)
					v := fixture.NewVisitor(t, m)
					if op.had {
						v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")); fixture.Hits.Add(ctx, 1) })
					}
					lossy := &losesReply{Store: s.Store, applies: applied, thenLoad: load}
					ends := &losesEnd{losesReply: lossy}
					var opErr error
					res := v.Visit(func(ctx context.Context) {
						session.FromContext(ctx).Exists()
						s.Store = ends
						opErr = op.do(ctx)
						if degrade {
							session.FromContext(ctx).Degrade()
						}
					})
					s.Store = lossy.Store
					success := res.StatusCode < 400
					var count int64
					var who string
					var exists bool
					status := v.Visit(func(ctx context.Context) {
						count, _ = fixture.Hits.Get(ctx)
						who, _ = fixture.User.Get(ctx)
						exists, _ = session.FromContext(ctx).Exists()
					}).StatusCode
					// can the visitor get in?
					login := v.Visit(func(ctx context.Context) {
						expect.OK(t, session.FromContext(ctx).Renew())
						fixture.User.Set(ctx, "carol")
					}).StatusCode
					var in string
					v.Visit(func(ctx context.Context) { in, _ = fixture.User.Get(ctx) })
					if login != 200 || in != "carol" {
						t.Errorf("%s: the visitor can't log in: %d %q", name, login, in)
					}
					if count > 2 {
						t.Errorf("%s: counted %d", name, count)
					}
					if success && !degrade {
						t.Logf("%s: success; op error %v; then status %d, user %q, hits %d, exists %v, cookies %d", name, opErr, status, who, count, exists, len(res.Cookies()))
					}
				}
			}
		}
	}
}

type losesEnd struct{ *losesReply }

func (s *losesEnd) End(ctx context.Context, id store.ID, why store.Reason) error {
	s.lost = true
	if s.applies {
		s.Store.End(ctx, id, why)
	}
	return fixture.ErrStore
}

func TestOutsideNextBesideDelete(t *testing.T) {
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

func TestOutsideParseKeysPrintsNothing(t *testing.T) {
	const alphabet = "ABCDEFGHabcdefgh0123456789+/-_=\x00\xff\ufeff \t'\"%#"
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		secret := make([]byte, 4+rnd.IntN(40))
		for i := range secret {
			secret[i] = alphabet[rnd.IntN(len(alphabet))]
		}
		_, err := session.ParseKeys(string(secret))
		if err == nil {
			continue
		}
		for at := 0; at+4 <= len(secret); at++ {
			part := string(secret[at : at+4])
			if strings.TrimSpace(part) == part && strings.Contains(err.Error(), part) && !strings.Contains("session: key 1 is neither base64 nor hexadecimal: openssl rand -base64 32 makes one bytes want at least has no in the text", part) {
				t.Fatalf("%q: %v shows %q", secret, err, part)
			}
		}
	}
	hex33 := hex.EncodeToString(make([]byte, 31)) + "0"
	if _, err := session.ParseKeys(hex33); err == nil {
		t.Error("hex that lost a digit")
	}
}

func TestOutsideRememberBeyondLimits(t *testing.T) {
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

// A client that has gone during a refusal.
func TestOutsideClientGoneAtARefusal(t *testing.T) {
	ended := make(chan bool)
	writing := make(chan bool)
	h, _ := refusing(t, nil, func(w http.ResponseWriter, r *http.Request) {
		close(writing)
		<-r.Context().Done()
		fmt.Fprint(w, "saved")
	})
	srv, _ := fixture.StartServer(t, fixture.HTTP1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		h.ServeHTTP(w, r)
	}))
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	expect.OK(t, err)
	c.Close()
	r, _ := http.NewRequest("GET", srv.URL, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-writing; cancel() }()
	srv.Client().Do(r.WithContext(ctx))
	<-ended
}

// Both Managers tell the client of their tokens where the connection is hijacked.
func TestOutsideHijackBelowTwo(t *testing.T) {
	outer, _ := fixture.NewManager(t, nil)
	inner, _ := fixture.NewManager(t, &session.Config{Cookie: session.Cookie{Name: "inner"}})
	for _, way := range []string{"conn", "bufio", "lines"} {
		srv, _ := fixture.StartServer(t, fixture.HTTP1, outer.Handler(inner.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			expect.OK(t, fixture.User.Set(r.Context(), "ann"))
			expect.OK(t, outer.Session(r.Context()).SetOwner("ann"))
			conn, rw, err := w.(http.Hijacker).Hijack()
			expect.OK(t, err)
			defer conn.Close()
			const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
			switch way {
			case "conn":
				io.WriteString(conn, answer)
			case "bufio":
				rw.WriteString(answer)
				rw.Flush()
			case "lines":
				for line := range strings.Lines(answer) {
					n, err := io.WriteString(conn, line)
					expect.OK(t, err)
					expect.Equal(t, "n", n, len(line))
				}
			}
		}))))
		resp, err := srv.Client().Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		expect.Equal(t, way+": body", string(body), "hi")
		names := ""
		for _, c := range resp.Cookies() {
			names += c.Name + " "
		}
		if !strings.Contains(names, "inner") || !strings.Contains(names, fixture.CookieName) || len(resp.Cookies()) != 2 {
			t.Errorf("%s: cookies %s", way, names)
		}
	}
}

// An OnError that answers by a panic inside a nested Manager, and what the outer one then says.
func TestOutsideNestedOnErrorPanics(t *testing.T) {
	outer, _ := fixture.NewManager(t, nil)
	inner, si := fixture.NewManager(t, &session.Config{Cookie: session.Cookie{Name: "inner"}, OnError: func(http.ResponseWriter, *http.Request, error) { panic("x") }})
	si.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	w := httptest.NewRecorder()
	h := outer.Handler(inner.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		expect.OK(t, fixture.User.Set(r.Context(), "ann"))
		expect.OK(t, outer.Session(r.Context()).SetOwner("ann"))
		fmt.Fprint(w, "saved")
	})))
	expect.Equal(t, "panic", expect.Panic(func() { h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil)) }), any("x"))
	wantRefusal(t, w.Result(), w.Body.String())
	expect.Equal(t, "cookies", len(w.Result().Cookies()), 1)
}

// Raw HTTP/1.1: an answer to Expect: 100-continue, unread body, and the next request on the connection if it stays.
func TestOutsideRawExpect(t *testing.T) {
	h, _ := refusing(t, nil, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "saved") })
	srv := httptest.NewServer(h)
	defer srv.Close()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	expect.OK(t, err)
	defer c.Close()
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: "POST"})
	expect.OK(t, err)
	body, _ := io.ReadAll(resp.Body)
	wantRefusal(t, resp, string(body))
}
