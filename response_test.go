package session_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store"
)

// startServer starts a TLS server of HTTP/1.1 or HTTP/2 and returns it with a browser that keeps cookies. The test does
// not end before its handlers: net/http recovers the panic of a handler that fails a test that is over, and the failure
// would be lost or, as a data race, be found in the next test.
func startServer(t *testing.T, proto string, h http.Handler) (*httptest.Server, *http.Client) {
	t.Helper()
	var open sync.RWMutex
	t.Cleanup(open.Lock) // waits for those inside; later ones find it shut
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if open.TryRLock() {
			defer open.RUnlock()
			h.ServeHTTP(w, r)
		}
	}))
	srv.EnableHTTP2 = proto == http2
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	browser := srv.Client()
	browser.Timeout = 20 * time.Second  // a test that hangs should say where
	browser.Jar, _ = cookiejar.New(nil) // never fails
	return srv, browser
}

const (
	http1 = "HTTP/1.1"
	http2 = "HTTP/2.0"
)

// onBothProtocols runs a test on a server of each.
func onBothProtocols(t *testing.T, test func(t *testing.T, proto string)) {
	for _, proto := range []string{http1, http2} {
		t.Run(strings.ReplaceAll(proto, "/", ""), func(t *testing.T) { test(t, proto) })
	}
}

// fetch returns a response with its body read.
func fetch(t *testing.T, browser *http.Client, url string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	must(t, err)
	return roundTrip(t, browser, r)
}

func roundTrip(t *testing.T, browser *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := browser.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp, string(body)
}

// beginnings are the ways in which a handler begins its response.
var beginnings = []struct {
	name string
	do   func(t *testing.T, w http.ResponseWriter, r *http.Request) error
}{
	{"return", func(*testing.T, http.ResponseWriter, *http.Request) error { return nil }},
	{"WriteHeader", func(_ *testing.T, w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusCreated)
		return nil
	}},
	{"Write", func(_ *testing.T, w http.ResponseWriter, _ *http.Request) error {
		_, err := w.Write([]byte("saved"))
		return err
	}},
	{"WriteString", func(_ *testing.T, w http.ResponseWriter, _ *http.Request) error {
		_, err := io.WriteString(w, "saved")
		return err
	}},
	{"Fprint", func(_ *testing.T, w http.ResponseWriter, _ *http.Request) error {
		_, err := fmt.Fprint(w, "saved")
		return err
	}},
	{"Copy", func(_ *testing.T, w http.ResponseWriter, _ *http.Request) error {
		_, err := io.Copy(w, struct{ io.Reader }{strings.NewReader("saved")})
		return err
	}},
	{"Copy of a file", func(t *testing.T, w http.ResponseWriter, _ *http.Request) error {
		_, err := io.Copy(w, tempFile(t, "saved"))
		return err
	}},
	{"Flush", func(_ *testing.T, w http.ResponseWriter, _ *http.Request) error {
		return http.NewResponseController(w).Flush()
	}},
	{"Flusher", func(_ *testing.T, w http.ResponseWriter, _ *http.Request) error {
		w.(http.Flusher).Flush()
		return nil
	}},
	{"Redirect", func(_ *testing.T, w http.ResponseWriter, r *http.Request) error {
		http.Redirect(w, r, "/next", http.StatusSeeOther)
		return nil
	}},
	{"Error", func(_ *testing.T, w http.ResponseWriter, _ *http.Request) error {
		http.Error(w, "no such page", http.StatusNotFound)
		return nil
	}},
}

func TestCommitBeforeFirstByte(t *testing.T) {
	for _, begin := range beginnings {
		t.Run(begin.name, func(t *testing.T) {
			m, s := newManager(t, nil)
			b := newBase()
			s.onCommit = func() error { b.note("commit"); return nil }
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				must(t, color.Set(r.Context(), "red"))
				must(t, begin.do(t, w, r))
			})).ServeHTTP(combinations(b)["FHRC"], httptest.NewRequest("GET", "/", nil))
			if first := cmp.Or(b.log...); first != "commit" {
				t.Errorf("first call: got %q of %q, want the commit", first, b.log)
			}
		})
	}
}

func TestRedirectSeesTheWrite(t *testing.T) {
	onBothProtocols(t, func(t *testing.T, proto string) {
		m, _ := newManager(t, nil)
		mux := http.NewServeMux()
		mux.HandleFunc("/set/{color}", func(w http.ResponseWriter, r *http.Request) {
			must(t, color.Set(r.Context(), r.PathValue("color")))
			http.Redirect(w, r, "/get", http.StatusSeeOther)
		})
		mux.HandleFunc("/get", func(w http.ResponseWriter, r *http.Request) {
			text, err := color.Get(r.Context())
			fmt.Fprint(w, text, err)
		})
		srv, browser := startServer(t, proto, m.Handler(mux))
		for _, text := range []string{"red", "green", "blue"} {
			resp, body := fetch(t, browser, srv.URL+"/set/"+text)
			check(t, "protocol", resp.Proto, proto)
			check(t, "color after the redirect", body, text+"<nil>")
		}
	})
}

func TestStoreCallsOfARequest(t *testing.T) {
	type handler func(t *testing.T, w http.ResponseWriter, r *http.Request)
	tests := []struct {
		name      string
		do        handler
		anonymous calls // of a visitor without a session
		known     calls // of one with a session
	}{
		{"nothing", func(*testing.T, http.ResponseWriter, *http.Request) {}, calls{}, calls{}},
		{"only output", func(t *testing.T, w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") }, calls{}, calls{}},
		{"FromContext", func(t *testing.T, w http.ResponseWriter, r *http.Request) { session.FromContext(r.Context()) }, calls{}, calls{}},
		{"reads", func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			color.Get(r.Context())
			visits.Get(r.Context())
			session.FromContext(r.Context()).Names()
			fmt.Fprint(w, "hello")
		}, calls{}, calls{loads: 1}},
		{"a write", func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			must(t, color.Set(r.Context(), "blue"))
			fmt.Fprint(w, "hello")
		}, calls{commits: 1}, calls{loads: 1, commits: 1}},
		{"reads and writes, much output", func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			color.Get(r.Context())
			must(t, color.Set(r.Context(), "blue"))
			visits.Add(r.Context(), 1)
			must(t, session.FromContext(r.Context()).SetOwner("ann"))
			must(t, session.FromContext(r.Context()).SetLabel("device", "a phone"))
			color.Get(r.Context())
			for range 10 {
				fmt.Fprint(w, "hello")
			}
		}, calls{commits: 1}, calls{loads: 1, commits: 1}},
		{"login", func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			must(t, session.FromContext(r.Context()).Renew())
			must(t, color.Set(r.Context(), "blue"))
			http.Redirect(w, r, "/", http.StatusSeeOther)
		}, calls{commits: 1}, calls{loads: 1, commits: 1}},
		{"Commit by hand", func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			must(t, color.Set(r.Context(), "blue"))
			must(t, session.FromContext(r.Context()).Commit(r.Context()))
			fmt.Fprint(w, "hello")
		}, calls{commits: 1}, calls{loads: 1, commits: 1}},
		{"logout", func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			must(t, session.FromContext(r.Context()).End())
			fmt.Fprint(w, "bye")
		}, calls{}, calls{loads: 1, ends: 1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, s := newManager(t, nil)
			f := func(w http.ResponseWriter, r *http.Request) { test.do(t, w, r) }
			newClient(nil).use(f, m).get("/")
			check(t, "store calls without a session", s.take(), test.anonymous)
			known := newVisitorWith(t, m, "red")
			s.take()
			known.use(f, m).get("/")
			check(t, "store calls with a session", s.take(), test.known)
		})
	}
}

func TestReadingTouchesOncePerTenth(t *testing.T) {
	t.Run("before the response", func(t *testing.T) {
		touchesOncePerTenth(t, func(w http.ResponseWriter, r *http.Request) {
			color.Get(r.Context())
			fmt.Fprint(w, "hello")
		})
	})
	t.Run("once it has begun", func(t *testing.T) {
		touchesOncePerTenth(t, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "hello")
			color.Get(r.Context())
		})
	})
}

func touchesOncePerTenth(t *testing.T, read http.HandlerFunc) {
	const idle = 10 * time.Minute
	m, s := newManager(t, &session.Config{IdleTimeout: idle})
	c := newVisitorWith(t, m, "red").use(read, m)
	steps := []struct {
		after time.Duration
		want  calls
	}{
		{0, calls{loads: 1}},
		{idle/10 - time.Second, calls{loads: 1}},
		{2 * time.Second, calls{loads: 1, commits: 1}},
		{idle/10 - time.Second, calls{loads: 1}},
		{2 * time.Second, calls{loads: 1, commits: 1}},
		{9 * time.Minute, calls{loads: 1, commits: 1}},
	}
	s.take()
	for _, step := range steps {
		s.advance(step.after)
		w := c.get("/")
		check(t, fmt.Sprintf("store calls %v later", step.after), s.take(), step.want)
		check(t, "number of cookies", len(w.Result().Cookies()), 0)
		if change := s.lastChange(); step.want.commits > 0 && (!change.Touched || change.Mutates()) {
			t.Errorf("change %v later: got %+v, want nothing but a touch", step.after, change)
		}
	}
}

func TestFailingTouchSpoilsNothing(t *testing.T) {
	tests := []struct {
		name string
		err  error
	}{
		{"store fails", errStore},
		{"session ended meanwhile", store.ErrNotFound},
		{"session renewed meanwhile", store.ErrRetired},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, s := newManager(t, nil)
			c := newVisitorWith(t, m, "red")
			s.advance(15 * time.Minute)
			s.onCommit = func() error { return test.err }
			s.take()
			w := c.use(func(w http.ResponseWriter, r *http.Request) {
				text, err := color.Get(r.Context())
				fmt.Fprint(w, text, err)
			}, m).get("/")
			check(t, "store calls", s.take(), calls{loads: 1, commits: 1})
			check(t, "status", w.Code, http.StatusOK)
			check(t, "body", w.Body.String(), "red<nil>")
			check(t, "number of cookies", len(w.Result().Cookies()), 0)
		})
	}
}

// describing are headers that speak of the output that is thrown away.
var describing = []string{
	"Accept-Ranges", "Cdn-Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Etag", "Expires",
	"Last-Modified", "Location", "Set-Cookie",
}

func TestFailedCommitThrowsOutputAway(t *testing.T) {
	for _, begin := range beginnings {
		t.Run(begin.name, func(t *testing.T) {
			onBothProtocols(t, func(t *testing.T, proto string) {
				var got error
				m, s := newManager(t, &session.Config{OnError: func(w http.ResponseWriter, r *http.Request, err error) {
					got = err
					w.Header().Set("Content-Type", "text/plain")
					w.WriteHeader(http.StatusServiceUnavailable)
					fmt.Fprint(w, "not ")
					fmt.Fprint(w, "saved")
				}})
				s.onCommit = fail
				handler := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					for _, name := range describing {
						w.Header().Set(name, "saved")
					}
					w.Header().Set("Content-Type", "image/png")
					w.Header().Set("Content-Length", "5")
					w.Header().Set("Cache-Control", "public, max-age=600")
					must(t, color.Set(r.Context(), "red"))
					begin.do(t, w, r)
				}))
				srv, browser := startServer(t, proto, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("X-Request-Id", "42")
					w.Header().Set("Content-Security-Policy", "default-src 'self'")
					handler.ServeHTTP(w, r)
				}))
				resp, body := fetch(t, browser, srv.URL)
				check(t, "status", resp.StatusCode, http.StatusServiceUnavailable)
				check(t, "body", body, "not saved")
				checkErr(t, "OnError", got, session.ErrUnavailable)
				checkErr(t, "OnError", got, errStore)
				check(t, "Content-Type", resp.Header.Get("Content-Type"), "text/plain")
				check(t, "Content-Length", resp.Header.Get("Content-Length"), "9")
				for _, name := range describing {
					check(t, name, resp.Header.Get(name), "")
				}
				check(t, "Cache-Control", resp.Header.Get("Cache-Control"), "no-store")
				check(t, "Vary", resp.Header.Get("Vary"), "Cookie")
				check(t, "X-Request-Id", resp.Header.Get("X-Request-Id"), "42")
				check(t, "Content-Security-Policy", resp.Header.Get("Content-Security-Policy"), "default-src 'self'")
				check(t, "commits", s.take().commits, 1)
			})
		})
	}
}

func TestAfterAFailedCommitNothingIsWritten(t *testing.T) {
	writes := map[string]func(w http.ResponseWriter) error{
		"Write":       func(w http.ResponseWriter) error { _, err := w.Write([]byte("saved")); return err },
		"WriteString": func(w http.ResponseWriter) error { _, err := io.WriteString(w, "saved"); return err },
		"ReadFrom": func(w http.ResponseWriter) error {
			_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("saved"))
			return err
		},
		"Flush":  func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() },
		"Hijack": func(w http.ResponseWriter) error { _, _, err := http.NewResponseController(w).Hijack(); return err },
	}
	for first := range writes {
		t.Run(first, func(t *testing.T) {
			m, s := newManager(t, &session.Config{OnError: func(w http.ResponseWriter, r *http.Request, err error) {
				w.WriteHeader(http.StatusServiceUnavailable)
			}})
			s.onCommit = fail
			b := newBase()
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				must(t, color.Set(r.Context(), "red"))
				checkErr(t, first, writes[first](w), session.ErrUnavailable)
				w.WriteHeader(http.StatusEarlyHints)
				w.WriteHeader(http.StatusOK)
				for name, write := range writes {
					checkErr(t, name+" after it", write(w), session.ErrUnavailable)
				}
				w.(http.Flusher).Flush()
			})).ServeHTTP(combinations(b)["FHRC"], httptest.NewRequest("GET", "/", nil))
			check(t, "what reaches the server", strings.Join(b.log, ", "), "status 503, flush")
			check(t, "commits", s.take().commits, 1)
		})
	}
}

func TestDefaultAnswerToAFailedCommit(t *testing.T) {
	const (
		unavailable = "Sessions are unavailable. Nothing may have been saved. Try again."
		ended       = "The session has ended or changed meanwhile. Nothing was saved. Load the page again."
		text        = "text/plain; charset=utf-8"
	)
	tests := []struct {
		name        string
		err         error
		accept      string
		status      int
		contentType string
		message     string
	}{
		{"store fails", errStore, "", 503, text, unavailable},
		{"store fails, a browser", errStore, "text/html,application/json;q=0.9,*/*;q=0.8", 503, text, unavailable},
		{"store fails, an API client", errStore, "application/json", 503, "application/json", unavailable},
		{"store fails, an API client with a type of its own", errStore, "application/problem+json", 503, "application/json", unavailable},
		{"ended meanwhile", store.ErrNotFound, "", 409, text, ended},
		{"ended meanwhile, an API client", store.ErrNotFound, "application/json", 409, "application/json", ended},
		{"renewed meanwhile", store.ErrRetired, "", 409, text, ended},
		{"changed meanwhile", store.ErrConflict, "", 409, text, ended},
		{"a counter that is text", &store.EditError{Name: "visits", Err: store.ErrNotInteger}, "", 500, text, "The session could not be used or saved."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var logs logbook
			m, s := newManager(t, &session.Config{Logger: logs.logger()})
			c := newVisitorWith(t, m, "red")
			s.onCommit = func() error { return test.err }
			c.use(func(w http.ResponseWriter, r *http.Request) {
				must(t, color.Set(r.Context(), "blue"))
				http.Redirect(w, r, "/saved", http.StatusSeeOther)
			}, m)
			r := httptest.NewRequest("GET", "https://example.com/save", nil)
			r.Header.Set("Accept", test.accept)
			w := c.do(r)
			check(t, "status", w.Code, test.status)
			check(t, "Content-Type", w.Header().Get("Content-Type"), test.contentType)
			check(t, "message", messageOf(t, w), test.message)
			check(t, "Location", w.Header().Get("Location"), "")
			check(t, "number of cookies", len(w.Result().Cookies()), 0)
			level := "ERROR"
			if test.status < 500 { // a client's own conflict is nobody's error
				level = "INFO"
			}
			check(t, "log lines of the refusal", logs.count(fmt.Sprintf("level=%s msg=\"session: response refused\" status=%d method=GET path=/save", level, test.status)), 1)
			check(t, "log lines at ERROR", logs.count("level=ERROR") > 0, test.status >= 500)
			check(t, "Retry-After", w.Header().Get("Retry-After") != "", test.status == 503)
		})
	}
}

// messageOf returns what an error response says, as text or as JSON.
func messageOf(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	if w.Header().Get("Content-Type") != "application/json" {
		return strings.TrimSuffix(w.Body.String(), "\n")
	}
	var answer struct{ Error string }
	must(t, json.Unmarshal(w.Body.Bytes(), &answer))
	return answer.Error
}

// A store that can't be reached is an error to the handler, never an anonymous visitor, and costs one call.
func TestFailingLoadIsNotAnonymous(t *testing.T) {
	m, s := newManager(t, nil)
	c := newVisitorWith(t, m, "red")
	s.onLoad = fail
	s.take()
	w := c.use(func(w http.ResponseWriter, r *http.Request) {
		_, err := color.Get(r.Context())
		checkErr(t, "Get", err, session.ErrUnavailable)
		_, err = session.FromContext(r.Context()).Exists()
		checkErr(t, "Exists", err, session.ErrUnavailable)
		checkErr(t, "Set", color.Set(r.Context(), "blue"), session.ErrUnavailable)
		http.Error(w, "sorry", http.StatusServiceUnavailable)
	}, m).get("/")
	check(t, "store calls", s.take(), calls{loads: 1})
	check(t, "status", w.Code, http.StatusServiceUnavailable)
	check(t, "body", w.Body.String(), "sorry\n")
	check(t, "number of cookies", len(w.Result().Cookies()), 0)
}

func TestChangesAfterTheFirstByte(t *testing.T) {
	type change func(r *http.Request) error
	set := func(r *http.Request) error { return color.Set(r.Context(), "late") }
	of := func(f func(s *session.Session) error) change {
		return func(r *http.Request) error { return f(session.FromContext(r.Context())) }
	}
	renew := of((*session.Session).Renew)
	tests := []struct {
		name    string
		known   bool // whether the visitor has a session
		before  change
		late    change
		want    error
		commits int64
	}{
		{"set", true, nil, set, nil, 1},
		{"set after reading", true, of(func(s *session.Session) error { _, err := s.Exists(); return err }), set, nil, 1},
		{"set after setting", true, func(r *http.Request) error { return user.Set(r.Context(), "ann") }, set, nil, 2},
		{"set in a new session", false, func(r *http.Request) error { return user.Set(r.Context(), "ann") }, set, nil, 2},
		{"delete", true, nil, func(r *http.Request) error { return color.Delete(r.Context()) }, nil, 1},
		{"count", true, nil, func(r *http.Request) error { _, err := visits.Add(r.Context(), 1); return err }, nil, 1},
		{"owner", true, nil, of(func(s *session.Session) error { return s.SetOwner("ann") }), nil, 1},
		{"label", true, nil, of(func(s *session.Session) error { return s.SetLabel("device", "a phone") }), nil, 1},
		{"clear", true, nil, of((*session.Session).Clear), nil, 1},
		{"idle timeout", true, nil, of(func(s *session.Session) error { return s.SetIdleTimeout(time.Hour) }), nil, 1},
		{"end", true, nil, of((*session.Session).End), nil, 0},

		{"create by set", false, nil, set, session.ErrTooLate, 0},
		{"create by set after reading", false, func(r *http.Request) error { _, err := color.Get(r.Context()); return err }, set, session.ErrTooLate, 0},
		{"create by count", false, nil, func(r *http.Request) error { _, err := visits.Add(r.Context(), 1); return err }, session.ErrTooLate, 0},
		{"create by owner", false, nil, of(func(s *session.Session) error { return s.SetOwner("ann") }), session.ErrTooLate, 0},
		{"renew", true, nil, renew, session.ErrTooLate, 0},
		{"renew after reading", true, of(func(s *session.Session) error { _, err := s.Exists(); return err }), renew, session.ErrTooLate, 0},
		{"persist", true, nil, of(func(s *session.Session) error { return s.Persist(true) }), session.ErrTooLate, 0},
		{"lifetime", true, nil, of(func(s *session.Session) error { return s.SetLifetime(time.Hour) }), session.ErrTooLate, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, s := newManager(t, nil)
			c := newClient(nil)
			if test.known {
				c = newVisitorWith(t, m, "red")
			}
			s.take()
			w := c.use(func(w http.ResponseWriter, r *http.Request) {
				if test.before != nil {
					must(t, test.before(r))
				}
				fmt.Fprint(w, "hello")
				checkErr(t, "late change", test.late(r), test.want)
			}, m).get("/")
			check(t, "commits", s.take().commits, test.commits)
			check(t, "body", w.Body.String(), "hello")
			if test.name == "set" || strings.HasPrefix(test.name, "set ") {
				check(t, "color at the next request", colorOf(t, c, m), "late")
			}
		})
	}
}

func TestLateCommitThatFailsIsLogged(t *testing.T) {
	var logs logbook
	m, s := newManager(t, &session.Config{Logger: logs.logger()})
	c := newVisitorWith(t, m, "red")
	s.onCommit = fail
	w := c.use(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello")
		must(t, color.Set(r.Context(), "blue"))
	}, m).get("/")
	check(t, "status", w.Code, http.StatusOK)
	check(t, "body", w.Body.String(), "hello")
	check(t, "log lines of the loss", logs.count("level=ERROR msg=\"session: changes made after the response began are lost\""), 1)
	check(t, "log lines with the cause", logs.count(errStore.Error()), 2)
}

func TestWhichStatusesCommit(t *testing.T) {
	tests := []struct {
		status int
		want   string
	}{
		{100, "status 100, commit, status 200"},
		{102, "status 102, commit, status 200"},
		{103, "status 103, commit, status 200"},
		{199, "status 199, commit, status 200"},
		{101, "commit, status 101, status 200"}, // it is final: what comes after is superfluous, as without us
		{200, "commit, status 200, status 200"},
		{204, "commit, status 204, status 200"},
		{304, "commit, status 304, status 200"},
		{404, "commit, status 404, status 200"},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.status), func(t *testing.T) {
			m, s := newManager(t, nil)
			b := newBase()
			s.onCommit = func() error { b.note("commit"); return nil }
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				must(t, color.Set(r.Context(), "red"))
				w.WriteHeader(test.status)
				w.WriteHeader(http.StatusOK)
			})).ServeHTTP(b, httptest.NewRequest("GET", "/", nil))
			check(t, "order", strings.Join(b.log, ", "), test.want)
		})
	}
}

func TestEarlyHintsReachTheClient(t *testing.T) {
	onBothProtocols(t, func(t *testing.T, proto string) {
		m, s := newManager(t, nil)
		srv, browser := startServer(t, proto, m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			must(t, color.Set(r.Context(), "red"))
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			check(t, "commits after the hint", s.commits.Load(), 0)
			must(t, color.Set(r.Context(), "blue"))
			fmt.Fprint(w, "hello")
		})))
		var hints []http.Header
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(status int, header textproto.MIMEHeader) error {
				check(t, "early status", status, http.StatusEarlyHints)
				hints = append(hints, http.Header(header))
				return nil
			},
		})
		r, err := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
		must(t, err)
		resp, body := roundTrip(t, browser, r)
		check(t, "body", body, "hello")
		check(t, "number of cookies", len(resp.Cookies()), 1)
		check(t, "number of hints", len(hints), 1)
		for _, h := range hints {
			check(t, "Link of the hint", h.Get("Link"), "</style.css>; rel=preload")
			check(t, "Set-Cookie of the hint", h.Get("Set-Cookie"), "")
		}
		check(t, "commits", s.commits.Load(), 1)
	})
}

// A client that goes away, before the session is committed, cancels the request's context and nothing else.
func TestClientGoneDoesNotCancelTheCommit(t *testing.T) {
	for _, begin := range beginnings {
		t.Run(begin.name, func(t *testing.T) {
			m, _ := newManager(t, nil)
			c := newVisitorWith(t, m, "red")
			ctx, leave := context.WithCancel(t.Context())
			c.use(func(w http.ResponseWriter, r *http.Request) {
				must(t, color.Set(r.Context(), "blue"))
				leave()
				checkErr(t, "context of the request", r.Context().Err(), context.Canceled)
				begin.do(t, w, r)
			}, m).do(c.request("/").WithContext(ctx))
			check(t, "color at the next request", colorOf(t, c, m), "blue")
		})
	}
}

func TestWarningOfASecureCookieOverPlainHTTP(t *testing.T) {
	tests := []struct {
		name   string
		cfg    session.Config
		target string
		header [2]string
		want   int
	}{
		{"plain http", session.Config{}, "http://example.com/", [2]string{}, 1},
		{"TLS", session.Config{}, "https://example.com/", [2]string{}, 0},
		{"behind a proxy with TLS", session.Config{}, "http://example.com/", [2]string{"X-Forwarded-Proto", "https"}, 0},
		{"behind a proxy that writes it large", session.Config{}, "http://example.com/", [2]string{"X-Forwarded-Proto", "HTTPS"}, 0},
		{"behind a proxy that says it by RFC 7239", session.Config{}, "http://example.com/", [2]string{"Forwarded", "for=1.2.3.4;proto=https"}, 0},
		{"behind a proxy without TLS", session.Config{}, "http://example.com/", [2]string{"X-Forwarded-Proto", "http"}, 1},
		{"in development", session.Config{Cookie: session.Cookie{Secure: session.InsecureForDevelopment}}, "http://example.com/", [2]string{}, 0},
		{"no cookie", session.Config{Carrier: session.BearerHeader()}, "http://example.com/", [2]string{}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var logs logbook
			test.cfg.Logger = logs.logger()
			m, _ := newManager(t, &test.cfg)
			const text = "level=WARN msg=\"session: a Secure cookie was issued over plain http"
			ask := func(f http.HandlerFunc) {
				r := httptest.NewRequest("GET", test.target, nil)
				r.Header.Set(cmp.Or(test.header[0], "X-None"), test.header[1])
				newClient(nil).use(f, m).do(r)
			}
			ask(func(w http.ResponseWriter, r *http.Request) { color.Get(r.Context()) })
			check(t, "warnings where no cookie was issued", logs.count(text), 0)
			for range 3 {
				ask(func(w http.ResponseWriter, r *http.Request) { must(t, color.Set(r.Context(), "red")) })
			}
			check(t, "warnings after three cookies", logs.count(text), test.want)
		})
	}
}

// What a handler writes is the whole response, with a commit as without one.
func TestBodyAndStatusPass(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789"), 100_000)
	onBothProtocols(t, func(t *testing.T, proto string) {
		m, _ := newManager(t, nil)
		srv, browser := startServer(t, proto, m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			must(t, color.Set(r.Context(), "red"))
			w.WriteHeader(http.StatusTeapot)
			n, err := w.Write(big)
			must(t, err)
			check(t, "bytes of Write", n, len(big))
			copied, err := io.Copy(w, struct{ io.Reader }{bytes.NewReader(big)})
			must(t, err)
			check(t, "bytes of Copy", copied, int64(len(big)))
		})))
		resp, body := fetch(t, browser, srv.URL)
		check(t, "status", resp.StatusCode, http.StatusTeapot)
		if want := string(big) + string(big); body != want {
			t.Errorf("body: got %d bytes, want %d others", len(body), len(want))
		}
	})
}
