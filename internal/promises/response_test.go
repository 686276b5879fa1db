package promises_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store"
)

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
			m, s := fixture.NewManager(t, nil)
			b := newBase()
			s.OnCommit = func() error { b.note("commit"); return nil }
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				expect.OK(t, fixture.Color.Set(r.Context(), "red"))
				expect.OK(t, begin.do(t, w, r))
			})).ServeHTTP(combinations(b)["FHRC"], httptest.NewRequest("GET", "/", nil))
			if first := cmp.Or(b.log...); first != "commit" {
				t.Errorf("first call: got %q of %q, want the commit", first, b.log)
			}
		})
	}
}

func TestRedirectSeesTheWrite(t *testing.T) {
	fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
		m, _ := fixture.NewManager(t, nil)
		mux := http.NewServeMux()
		mux.HandleFunc("/set/{color}", func(w http.ResponseWriter, r *http.Request) {
			expect.OK(t, fixture.Color.Set(r.Context(), r.PathValue("color")))
			http.Redirect(w, r, "/get", http.StatusSeeOther)
		})
		mux.HandleFunc("/get", func(w http.ResponseWriter, r *http.Request) {
			text, err := fixture.Color.Get(r.Context())
			fmt.Fprint(w, text, err)
		})
		srv, browser := fixture.StartServer(t, proto, m.Handler(mux))
		for _, text := range []string{"red", "green", "blue"} {
			resp, body := fixture.Fetch(t, browser, srv.URL+"/set/"+text)
			expect.Equal(t, "protocol", resp.Proto, proto)
			expect.Equal(t, "color after the redirect", body, text+"<nil>")
		}
	})
}

func TestStoreCallsOfARequest(t *testing.T) {
	type handler func(t *testing.T, w http.ResponseWriter, r *http.Request)
	tests := []struct {
		name      string
		do        handler
		anonymous fixture.Calls // of a visitor without a session
		known     fixture.Calls // of one with a session
	}{
		{"nothing", func(*testing.T, http.ResponseWriter, *http.Request) {}, fixture.Calls{}, fixture.Calls{}},
		{"only output", func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "hello")
		}, fixture.Calls{}, fixture.Calls{}},
		{"FromContext", func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			session.FromContext(r.Context())
		}, fixture.Calls{}, fixture.Calls{}},
		{"reads", func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			fixture.Color.Get(r.Context())
			fixture.Visits.Get(r.Context())
			session.FromContext(r.Context()).Names()
			fmt.Fprint(w, "hello")
		}, fixture.Calls{}, fixture.Calls{Loads: 1}},
		{"a write", func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			expect.OK(t, fixture.Color.Set(r.Context(), "blue"))
			fmt.Fprint(w, "hello")
		}, fixture.Calls{Commits: 1}, fixture.Calls{Loads: 1, Commits: 1}},
		{"reads and writes, much output", func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			fixture.Color.Get(r.Context())
			expect.OK(t, fixture.Color.Set(r.Context(), "blue"))
			fixture.Visits.Add(r.Context(), 1)
			expect.OK(t, session.FromContext(r.Context()).SetOwner("ann"))
			expect.OK(t, session.FromContext(r.Context()).SetLabel("device", "a phone"))
			fixture.Color.Get(r.Context())
			for range 10 {
				fmt.Fprint(w, "hello")
			}
		}, fixture.Calls{Commits: 1}, fixture.Calls{Loads: 1, Commits: 1}},
		{"login", func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			expect.OK(t, session.FromContext(r.Context()).Renew())
			expect.OK(t, fixture.Color.Set(r.Context(), "blue"))
			http.Redirect(w, r, "/", http.StatusSeeOther)
		}, fixture.Calls{Commits: 1}, fixture.Calls{Loads: 1, Commits: 1}},
		{"Commit by hand", func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			expect.OK(t, fixture.Color.Set(r.Context(), "blue"))
			expect.OK(t, session.FromContext(r.Context()).Commit(r.Context()))
			fmt.Fprint(w, "hello")
		}, fixture.Calls{Commits: 1}, fixture.Calls{Loads: 1, Commits: 1}},
		{"logout", func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			expect.OK(t, session.FromContext(r.Context()).End())
			fmt.Fprint(w, "bye")
		}, fixture.Calls{}, fixture.Calls{Loads: 1, Ends: 1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, s := fixture.NewManager(t, nil)
			f := func(w http.ResponseWriter, r *http.Request) { test.do(t, w, r) }
			fixture.NewVisitor(t, m).Meet(f).Get("/")
			expect.Equal(t, "store calls without a session", s.Take(), test.anonymous)
			known := fixture.NewVisitorWith(t, m, "red")
			s.Take()
			known.Meet(f).Get("/")
			expect.Equal(t, "store calls with a session", s.Take(), test.known)
		})
	}
}

func TestReadingTouchesOncePerTenth(t *testing.T) {
	t.Run("before the response", func(t *testing.T) {
		touchesOncePerTenth(t, func(w http.ResponseWriter, r *http.Request) {
			fixture.Color.Get(r.Context())
			fmt.Fprint(w, "hello")
		})
	})
	t.Run("once it has begun", func(t *testing.T) {
		touchesOncePerTenth(t, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "hello")
			fixture.Color.Get(r.Context())
		})
	})
}

func touchesOncePerTenth(t *testing.T, read http.HandlerFunc) {
	const idle = 10 * time.Minute
	m, s := fixture.NewManager(t, &session.Config{IdleTimeout: idle})
	c := fixture.NewVisitorWith(t, m, "red").Meet(read)
	steps := []struct {
		after time.Duration
		want  fixture.Calls
	}{
		{0, fixture.Calls{Loads: 1}},
		{idle/10 - time.Second, fixture.Calls{Loads: 1}},
		{2 * time.Second, fixture.Calls{Loads: 1, Commits: 1}},
		{idle/10 - time.Second, fixture.Calls{Loads: 1}},
		{2 * time.Second, fixture.Calls{Loads: 1, Commits: 1}},
		{9 * time.Minute, fixture.Calls{Loads: 1, Commits: 1}},
	}
	s.Take()
	for _, step := range steps {
		s.Clock.Advance(step.after)
		w := c.Get("/")
		expect.Equal(t, fmt.Sprintf("store calls %v later", step.after), s.Take(), step.want)
		expect.Equal(t, "number of cookies", len(w.Result().Cookies()), 0)
		if change := s.LastChange(); step.want.Commits > 0 && (!change.Touched || change.Mutates()) {
			t.Errorf("change %v later: got %+v, want nothing but a touch", step.after, change)
		}
	}
}

func TestFailingTouchSpoilsNothing(t *testing.T) {
	tests := []struct {
		name string
		err  error
	}{
		{"store fails", fixture.ErrStore},
		{"session ended meanwhile", store.ErrNotFound},
		{"session renewed meanwhile", store.ErrRetired},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, s := fixture.NewManager(t, nil)
			c := fixture.NewVisitorWith(t, m, "red")
			s.Clock.Advance(15 * time.Minute)
			s.Broken.Fail(test.err, sessiontest.Commit)
			s.Take()
			w := c.Meet(func(w http.ResponseWriter, r *http.Request) {
				text, err := fixture.Color.Get(r.Context())
				fmt.Fprint(w, text, err)
			}).Get("/")
			expect.Equal(t, "store calls", s.Take(), fixture.Calls{Loads: 1, Commits: 1})
			expect.Equal(t, "status", w.Code, http.StatusOK)
			expect.Equal(t, "body", w.Body.String(), "red<nil>")
			expect.Equal(t, "number of cookies", len(w.Result().Cookies()), 0)
		})
	}
}

// contentHeaders describe the output that is thrown away.
var contentHeaders = []string{
	"Accept-Ranges", "Cdn-Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Etag", "Expires",
	"Last-Modified", "Location", "Set-Cookie",
}

func TestFailedCommitThrowsOutputAway(t *testing.T) {
	for _, begin := range beginnings {
		t.Run(begin.name, func(t *testing.T) {
			fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
				var got error
				m, s := fixture.NewManager(t, &session.Config{OnError: func(w http.ResponseWriter, r *http.Request, err error) {
					got = err
					w.Header().Set("Content-Type", "text/plain")
					w.WriteHeader(http.StatusServiceUnavailable)
					fmt.Fprint(w, "not ")
					fmt.Fprint(w, "saved")
				}})
				s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
				handler := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					for _, name := range contentHeaders {
						w.Header().Set(name, "saved")
					}
					w.Header().Set("Content-Type", "image/png")
					w.Header().Set("Content-Length", "5")
					w.Header().Set("Cache-Control", "public, max-age=600")
					expect.OK(t, fixture.Color.Set(r.Context(), "red"))
					begin.do(t, w, r)
				}))
				srv, browser := fixture.StartServer(t, proto, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("X-Request-Id", "42")
					w.Header().Set("Content-Security-Policy", "default-src 'self'")
					handler.ServeHTTP(w, r)
				}))
				resp, body := fixture.Fetch(t, browser, srv.URL)
				expect.Equal(t, "status", resp.StatusCode, http.StatusServiceUnavailable)
				expect.Equal(t, "body", body, "not saved")
				expect.Is(t, "OnError", got, session.ErrUnavailable)
				expect.Is(t, "OnError", got, fixture.ErrStore)
				expect.Equal(t, "Content-Type", resp.Header.Get("Content-Type"), "text/plain")
				expect.Equal(t, "Content-Length", resp.Header.Get("Content-Length"), "9")
				for _, name := range contentHeaders {
					expect.Equal(t, name, resp.Header.Get(name), "")
				}
				expect.Equal(t, "Cache-Control", resp.Header.Get("Cache-Control"), "no-store")
				expect.Equal(t, "Vary", resp.Header.Get("Vary"), "Cookie")
				expect.Equal(t, "X-Request-Id", resp.Header.Get("X-Request-Id"), "42")
				expect.Equal(t, "Content-Security-Policy", resp.Header.Get("Content-Security-Policy"), "default-src 'self'")
				expect.Equal(t, "commits", s.Take().Commits, 1)
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
			m, s := fixture.NewManager(t, &session.Config{OnError: func(w http.ResponseWriter, r *http.Request, err error) {
				w.WriteHeader(http.StatusServiceUnavailable)
			}})
			s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
			b := newBase()
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				expect.OK(t, fixture.Color.Set(r.Context(), "red"))
				expect.Is(t, first, writes[first](w), session.ErrUnavailable)
				w.WriteHeader(http.StatusEarlyHints)
				w.WriteHeader(http.StatusOK)
				for name, write := range writes {
					expect.Is(t, name+" after it", write(w), session.ErrUnavailable)
				}
				w.(http.Flusher).Flush()
			})).ServeHTTP(combinations(b)["FHRC"], httptest.NewRequest("GET", "/", nil))
			expect.Equal(t, "what reaches the server", strings.Join(b.log, ", "), "status 503, flush")
			expect.Equal(t, "commits", s.Take().Commits, 1)
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
		{"store fails", fixture.ErrStore, "", 503, text, unavailable},
		{"store fails, a browser", fixture.ErrStore, "text/html,application/json;q=0.9,*/*;q=0.8", 503, text, unavailable},
		{"store fails, an API client", fixture.ErrStore, "application/json", 503, "application/json", unavailable},
		{"store fails, an API client with a type of its own", fixture.ErrStore, "application/problem+json", 503,
			"application/json", unavailable},
		{"ended meanwhile", store.ErrNotFound, "", 409, text, ended},
		{"ended meanwhile, an API client", store.ErrNotFound, "application/json", 409, "application/json", ended},
		{"renewed meanwhile", store.ErrRetired, "", 409, text, ended},
		{"changed meanwhile", store.ErrConflict, "", 409, text, ended},
		{"a counter that is text", &store.EditError{Name: "visits", Err: store.ErrNotInteger}, "", 500, text,
			"The session could not be used or saved."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var logs fixture.Logbook
			m, s := fixture.NewManager(t, &session.Config{Logger: logs.Logger()})
			c := fixture.NewVisitorWith(t, m, "red")
			s.Broken.Fail(test.err, sessiontest.Commit)
			site := c.Meet(func(w http.ResponseWriter, r *http.Request) {
				expect.OK(t, fixture.Color.Set(r.Context(), "blue"))
				http.Redirect(w, r, "/saved", http.StatusSeeOther)
			})
			r := httptest.NewRequest("GET", "https://example.com/save", nil)
			r.Header.Set("Accept", test.accept)
			w := site.Do(r)
			expect.Equal(t, "status", w.Code, test.status)
			expect.Equal(t, "Content-Type", w.Header().Get("Content-Type"), test.contentType)
			expect.Equal(t, "message", messageOf(t, w), test.message)
			expect.Equal(t, "Location", w.Header().Get("Location"), "")
			expect.Equal(t, "number of cookies", len(w.Result().Cookies()), 0)
			level := "ERROR"
			if test.status < 500 { // a conflict is no failure of the server
				level = "INFO"
			}
			line := fmt.Sprintf(`level=%s msg="session: response refused" status=%d method=GET path=/save`, level, test.status)
			expect.Equal(t, "log lines of the refusal", logs.Count(line), 1)
			expect.Equal(t, "log lines at ERROR", logs.Count("level=ERROR") > 0, test.status >= 500)
			expect.Equal(t, "Retry-After", w.Header().Get("Retry-After") != "", test.status == 503)
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
	expect.OK(t, json.Unmarshal(w.Body.Bytes(), &answer))
	return answer.Error
}

// If the store can't be reached, the handler gets an error, never an anonymous visitor. It costs one call.
func TestFailingLoadIsNotAnonymous(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	c := fixture.NewVisitorWith(t, m, "red")
	s.Broken.Fail(fixture.ErrStore, sessiontest.Load)
	s.Take()
	w := c.Meet(func(w http.ResponseWriter, r *http.Request) {
		_, err := fixture.Color.Get(r.Context())
		expect.Is(t, "Get", err, session.ErrUnavailable)
		_, err = session.FromContext(r.Context()).Exists()
		expect.Is(t, "Exists", err, session.ErrUnavailable)
		expect.Is(t, "Set", fixture.Color.Set(r.Context(), "blue"), session.ErrUnavailable)
		http.Error(w, "sorry", http.StatusServiceUnavailable)
	}).Get("/")
	expect.Equal(t, "store calls", s.Take(), fixture.Calls{Loads: 1})
	expect.Equal(t, "status", w.Code, http.StatusServiceUnavailable)
	expect.Equal(t, "body", w.Body.String(), "sorry\n")
	expect.Equal(t, "number of cookies", len(w.Result().Cookies()), 0)
}

func TestChangesAfterTheFirstByte(t *testing.T) {
	type change func(r *http.Request) error
	set := func(r *http.Request) error { return fixture.Color.Set(r.Context(), "late") }
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
		{"set after setting", true, func(r *http.Request) error { return fixture.User.Set(r.Context(), "ann") }, set, nil, 2},
		{"set in a new session", false, func(r *http.Request) error {
			return fixture.User.Set(r.Context(), "ann")
		}, set, nil, 2},
		{"delete", true, nil, func(r *http.Request) error { return fixture.Color.Delete(r.Context()) }, nil, 1},
		{"count", true, nil, func(r *http.Request) error {
			_, err := fixture.Visits.Add(r.Context(), 1)
			return err
		}, nil, 1},
		{"owner", true, nil, of(func(s *session.Session) error { return s.SetOwner("ann") }), nil, 1},
		{"label", true, nil, of(func(s *session.Session) error { return s.SetLabel("device", "a phone") }), nil, 1},
		{"clear", true, nil, of((*session.Session).Clear), nil, 1},
		{"idle timeout", true, nil, of(func(s *session.Session) error { return s.SetIdleTimeout(time.Hour) }), nil, 1},
		{"end", true, nil, of((*session.Session).End), nil, 0},

		{"create by set", false, nil, set, session.ErrTooLate, 0},
		{"create by set after reading", false, func(r *http.Request) error {
			_, err := fixture.Color.Get(r.Context())
			return err
		}, set, session.ErrTooLate, 0},
		{"create by count", false, nil, func(r *http.Request) error {
			_, err := fixture.Visits.Add(r.Context(), 1)
			return err
		}, session.ErrTooLate, 0},
		{"create by owner", false, nil, of(func(s *session.Session) error {
			return s.SetOwner("ann")
		}), session.ErrTooLate, 0},
		{"renew", true, nil, renew, session.ErrTooLate, 0},
		{"renew after reading", true, of(func(s *session.Session) error {
			_, err := s.Exists()
			return err
		}), renew, session.ErrTooLate, 0},
		{"persist", true, nil, of(func(s *session.Session) error { return s.Persist(true) }), session.ErrTooLate, 0},
		{"lifetime", true, nil, of(func(s *session.Session) error {
			return s.SetLifetime(time.Hour)
		}), session.ErrTooLate, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, s := fixture.NewManager(t, nil)
			c := fixture.NewVisitor(t, m)
			if test.known {
				c = fixture.NewVisitorWith(t, m, "red")
			}
			s.Take()
			w := c.Meet(func(w http.ResponseWriter, r *http.Request) {
				if test.before != nil {
					expect.OK(t, test.before(r))
				}
				fmt.Fprint(w, "hello")
				expect.Is(t, "late change", test.late(r), test.want)
			}).Get("/")
			expect.Equal(t, "commits", s.Take().Commits, test.commits)
			expect.Equal(t, "body", w.Body.String(), "hello")
			if test.name == "set" || strings.HasPrefix(test.name, "set ") {
				expect.Equal(t, "color at the next request", c.Color(), "late")
			}
		})
	}
}

func TestLateCommitThatFailsIsLogged(t *testing.T) {
	var logs fixture.Logbook
	m, s := fixture.NewManager(t, &session.Config{Logger: logs.Logger()})
	c := fixture.NewVisitorWith(t, m, "red")
	s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	w := c.Meet(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello")
		expect.OK(t, fixture.Color.Set(r.Context(), "blue"))
	}).Get("/")
	expect.Equal(t, "status", w.Code, http.StatusOK)
	expect.Equal(t, "body", w.Body.String(), "hello")
	expect.Equal(t, "log lines of the loss",
		logs.Count(`level=ERROR msg="session: changes made after the response began are lost"`), 1)
	expect.Equal(t, "log lines with the cause", logs.Count(fixture.ErrStore.Error()), 2)
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
		{101, "commit, status 101, status 200"}, // it is final, so the next status is superfluous, as without a Manager
		{200, "commit, status 200, status 200"},
		{204, "commit, status 204, status 200"},
		{304, "commit, status 304, status 200"},
		{404, "commit, status 404, status 200"},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.status), func(t *testing.T) {
			m, s := fixture.NewManager(t, nil)
			b := newBase()
			s.OnCommit = func() error { b.note("commit"); return nil }
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				expect.OK(t, fixture.Color.Set(r.Context(), "red"))
				w.WriteHeader(test.status)
				w.WriteHeader(http.StatusOK)
			})).ServeHTTP(b, httptest.NewRequest("GET", "/", nil))
			expect.Equal(t, "order", strings.Join(b.log, ", "), test.want)
		})
	}
}

func TestEarlyHintsReachTheClient(t *testing.T) {
	fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
		m, s := fixture.NewManager(t, nil)
		srv, browser := fixture.StartServer(t, proto,
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				expect.OK(t, fixture.Color.Set(r.Context(), "red"))
				w.Header().Set("Link", "</style.css>; rel=preload")
				w.WriteHeader(http.StatusEarlyHints)
				expect.Equal(t, "commits after the hint", s.Commits(), 0)
				expect.OK(t, fixture.Color.Set(r.Context(), "blue"))
				fmt.Fprint(w, "hello")
			})))
		var hints []http.Header
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(status int, header textproto.MIMEHeader) error {
				expect.Equal(t, "early status", status, http.StatusEarlyHints)
				hints = append(hints, http.Header(header))
				return nil
			},
		})
		r, err := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
		expect.OK(t, err)
		resp, body := fixture.RoundTrip(t, browser, r)
		expect.Equal(t, "body", body, "hello")
		expect.Equal(t, "number of cookies", len(resp.Cookies()), 1)
		expect.Equal(t, "number of hints", len(hints), 1)
		for _, h := range hints {
			expect.Equal(t, "Link of the hint", h.Get("Link"), "</style.css>; rel=preload")
			expect.Equal(t, "Set-Cookie of the hint", h.Get("Set-Cookie"), "")
		}
		expect.Equal(t, "commits", s.Commits(), 1)
	})
}

// A client that goes away cancels the request's context, but not the commit.
func TestClientGoneDoesNotCancelTheCommit(t *testing.T) {
	for _, begin := range beginnings {
		t.Run(begin.name, func(t *testing.T) {
			m, _ := fixture.NewManager(t, nil)
			c := fixture.NewVisitorWith(t, m, "red")
			ctx, leave := context.WithCancel(t.Context())
			c.Meet(func(w http.ResponseWriter, r *http.Request) {
				expect.OK(t, fixture.Color.Set(r.Context(), "blue"))
				leave()
				expect.Is(t, "context of the request", r.Context().Err(), context.Canceled)
				begin.do(t, w, r)
			}).Do(c.Request("GET", "/", nil).WithContext(ctx))
			expect.Equal(t, "color at the next request", c.Color(), "blue")
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
		{"behind a proxy that writes it large", session.Config{}, "http://example.com/",
			[2]string{"X-Forwarded-Proto", "HTTPS"}, 0},
		{"behind a proxy that says it by RFC 7239", session.Config{}, "http://example.com/",
			[2]string{"Forwarded", "for=1.2.3.4;proto=https"}, 0},
		{"behind a proxy without TLS", session.Config{}, "http://example.com/", [2]string{"X-Forwarded-Proto", "http"}, 1},
		{"in development", session.Config{Cookie: session.Cookie{Secure: session.InsecureForDevelopment}},
			"http://example.com/", [2]string{}, 0},
		{"no cookie", session.Config{Carrier: session.BearerHeader()}, "http://example.com/", [2]string{}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var logs fixture.Logbook
			test.cfg.Logger = logs.Logger()
			m, _ := fixture.NewManager(t, &test.cfg)
			const text = "level=WARN msg=\"session: a Secure cookie was issued over plain http"
			ask := func(f http.HandlerFunc) {
				r := httptest.NewRequest("GET", test.target, nil)
				r.Header.Set(cmp.Or(test.header[0], "X-None"), test.header[1])
				fixture.NewVisitor(t, m).Meet(f).Do(r)
			}
			ask(func(w http.ResponseWriter, r *http.Request) { fixture.Color.Get(r.Context()) })
			expect.Equal(t, "warnings where no cookie was issued", logs.Count(text), 0)
			for range 3 {
				ask(func(w http.ResponseWriter, r *http.Request) { expect.OK(t, fixture.Color.Set(r.Context(), "red")) })
			}
			expect.Equal(t, "warnings after three cookies", logs.Count(text), test.want)
		})
	}
}

// With a commit, the client gets exactly what the handler writes.
func TestBodyAndStatusPass(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789"), 100_000)
	fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
		m, _ := fixture.NewManager(t, nil)
		srv, browser := fixture.StartServer(t, proto,
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				expect.OK(t, fixture.Color.Set(r.Context(), "red"))
				w.WriteHeader(http.StatusTeapot)
				n, err := w.Write(big)
				expect.OK(t, err)
				expect.Equal(t, "bytes of Write", n, len(big))
				copied, err := io.Copy(w, struct{ io.Reader }{bytes.NewReader(big)})
				expect.OK(t, err)
				expect.Equal(t, "bytes of Copy", copied, int64(len(big)))
			})))
		resp, body := fixture.Fetch(t, browser, srv.URL)
		expect.Equal(t, "status", resp.StatusCode, http.StatusTeapot)
		if want := string(big) + string(big); body != want {
			t.Errorf("body: got %d bytes, want %d others", len(body), len(want))
		}
	})
}
