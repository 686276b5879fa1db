package promises_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
)

// If one of two Managers or both refuse, the answer is one whole 503. A client that has a token keeps it.
func TestNestedManagers(t *testing.T) {
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
			srv, browser := fixture.StartServer(t, proto,
				withFive(outer.Handler(inner.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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

// If the connection is hijacked, both Managers still send their tokens.
func TestHijackBelowTwo(t *testing.T) {
	outer, _ := fixture.NewManager(t, nil)
	inner, _ := fixture.NewManager(t, &session.Config{Cookie: session.Cookie{Name: "inner"}})
	for _, way := range []string{"conn", "bufio", "lines"} {
		srv, _ := fixture.StartServer(t, fixture.HTTP1,
			outer.Handler(inner.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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

// The refusal of an outer Manager keeps the cookie of an inner one. Its session would be lost without it.
func TestRefusalKeepsTheCookieOfAnInnerManager(t *testing.T) {
	outer, s := fixture.NewManager(t, nil)
	middle := fixture.NewManagerOn(t, fixture.NewStore(), &session.Config{Cookie: session.Cookie{Name: "middle"}})
	inner := fixture.NewManagerOn(t, fixture.NewStore(), &session.Config{Cookie: session.Cookie{Name: "inner"}})
	page := func(w http.ResponseWriter, r *http.Request) {
		expect.OK(t, fixture.User.Set(r.Context(), "ann"))
		expect.OK(t, inner.Session(r.Context()).Renew())
		expect.OK(t, outer.Session(r.Context()).SetOwner("ann"))
		w.Header().Add("Set-Cookie", "saved=1")
		fmt.Fprint(w, "saved")
	}
	c := sessiontest.NewClient(outer.Handler(middle.Handler(inner.Handler(http.HandlerFunc(page)))))
	c.Get("/")
	s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	w := c.Get("/")
	expect.Equal(t, "status", w.Code, http.StatusServiceUnavailable)
	var names []string
	for _, cookie := range w.Result().Cookies() {
		names = append(names, cookie.Name)
	}
	expect.Equal(t, "cookies", strings.Join(names, " "), "inner")
	c = c.On(inner.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fixture.Holds(t, r.Context(), fixture.User, "ann")
	})))
	expect.Equal(t, "status after it", c.Get("/").Code, http.StatusOK)
}

// The handler of an inner Manager may outlive a TimeoutHandler. It then begins its response while the outer Manager
// refuses.
func TestInnerBeginsWhileOuterRefuses(t *testing.T) {
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

// If two Managers both refuse a stream, the answer closes the connection.
func TestStreamBelowTwoThatRefuse(t *testing.T) {
	outer, so := fixture.NewManager(t, nil)
	inner, si := fixture.NewManager(t, &session.Config{Cookie: session.Cookie{Name: "inner"}})
	so.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	si.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	srv, browser := fixture.StartServer(t, fixture.HTTP1,
		outer.Handler(inner.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			expect.OK(t, fixture.User.Set(r.Context(), "ann"))
			expect.OK(t, outer.Session(r.Context()).SetOwner("ann"))
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: 1\n\n")
		}))))
	resp, body := fixture.Fetch(t, browser, srv.URL)
	wantRefusal(t, resp, body)
	expect.Equal(t, "the connection is to be closed", resp.Close, true)
}

// If one of two commits fails, the answer says so, and the cookie of the other is still sent.
func TestTwoManagersOneFails(t *testing.T) {
	site, _ := fixture.NewManager(t, &session.Config{Cookie: session.Cookie{Name: "__Host-site"}})
	admin, s := fixture.NewManager(t, &session.Config{Cookie: session.Cookie{Name: "__Host-admin"}})
	s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	w := sessiontest.NewClient(site.Handler(admin.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		expect.OK(t, fixture.Color.Set(session.NewContext(r.Context(), site.Session(r.Context())), "site"))
		expect.OK(t, fixture.Color.Set(r.Context(), "admin"))
		fmt.Fprint(w, "saved")
	})))).Get("/")
	expect.Equal(t, "status", w.Code, http.StatusServiceUnavailable)
	expect.Equal(t, "number of cookies", len(w.Result().Cookies()), 1)
	if strings.Contains(w.Body.String(), "saved\n") {
		t.Errorf("body: got %q, want nothing of the handler's", w.Body)
	}
}
