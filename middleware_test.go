package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/service"
	"github.com/lazysession/session/sessiontest"
)

func TestPanicPassesAndCommitsNothing(t *testing.T) {
	type custom struct{ why string }
	values := map[string]any{
		"ErrAbortHandler": http.ErrAbortHandler,
		"an error":        fixture.ErrStore,
		"a value":         custom{"because"},
		"a string":        "because",
	}
	stages := []struct {
		name    string
		do      func(w http.ResponseWriter, r *http.Request)
		commits int64
	}{
		{"before anything", func(http.ResponseWriter, *http.Request) {}, 0},
		{"after a change", func(_ http.ResponseWriter, r *http.Request) { fixture.Color.Set(r.Context(), "blue") }, 0},
		{"after a change and the header", func(w http.ResponseWriter, r *http.Request) {
			fixture.Color.Set(r.Context(), "blue")
			w.Header().Set("Content-Type", "text/plain")
		}, 0},
		{"after a late change", func(w http.ResponseWriter, r *http.Request) {
			fixture.Color.Get(r.Context())
			fmt.Fprint(w, "hello")
			fixture.Color.Set(r.Context(), "blue")
		}, 0},
	}
	for name, value := range values {
		for _, stage := range stages {
			t.Run(name+"/"+stage.name, func(t *testing.T) {
				m, s := fixture.NewManager(t, nil)
				c := fixture.NewVisitorWith(t, m, "red")
				s.Take()
				var late context.Context
				site := c.Meet(func(w http.ResponseWriter, r *http.Request) {
					late = r.Context()
					stage.do(w, r)
					panic(value)
				})
				expect.Equal(t, "panic", expect.Panic(func() { site.Get("/") }), value)
				expect.Equal(t, "commits", s.Take().Commits, stage.commits)
				expect.Is(t, "session after the panic", fixture.Color.Set(late, "green"), session.ErrTooLate)
				expect.Equal(t, "color at the next request", c.Color(), "red")
			})
		}
	}
}

func TestSessionOutlivesNoRequest(t *testing.T) {
	tests := []struct {
		name string
		do   func(ctx context.Context) error
	}{
		{"Get", func(ctx context.Context) error { _, err := fixture.Color.Get(ctx); return err }},
		{"Set", func(ctx context.Context) error { return fixture.Color.Set(ctx, "blue") }},
		{"Delete", func(ctx context.Context) error { return fixture.Color.Delete(ctx) }},
		{"Take", func(ctx context.Context) error { _, _, err := fixture.Color.Take(ctx); return err }},
		{"Update", func(ctx context.Context) error { _, err := fixture.Color.Update(ctx, same); return err }},
		{"Add", func(ctx context.Context) error { _, err := fixture.Visits.Add(ctx, 1); return err }},
		{"Exists", func(ctx context.Context) error { _, err := session.FromContext(ctx).Exists(); return err }},
		{"Renew", func(ctx context.Context) error { return session.FromContext(ctx).Renew() }},
		{"End", func(ctx context.Context) error { return session.FromContext(ctx).End() }},
		{"Commit", func(ctx context.Context) error { return session.FromContext(ctx).Commit(ctx) }},
		{"Reload", func(ctx context.Context) error { return session.FromContext(ctx).Reload(ctx) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, s := fixture.NewManager(t, nil)
			c := fixture.NewVisitorWith(t, m, "red")
			s.Take()
			over, result := make(chan struct{}), make(chan error)
			c.Meet(func(w http.ResponseWriter, r *http.Request) {
				go func() {
					<-over
					result <- test.do(r.Context())
				}()
			}).Get("/")
			close(over)
			expect.Is(t, "error after the request", <-result, session.ErrTooLate)
			expect.Equal(t, "store calls", s.Take(), fixture.Calls{})
		})
	}
}

func same(s string) (string, error) { return s, nil }

func TestTwoManagersOnOneRoute(t *testing.T) {
	services := service.NewRegistry(nil)
	site, _ := fixture.NewManager(t, &session.Config{Cookie: session.Cookie{Name: "__Host-site"}, Services: services})
	admin, _ := fixture.NewManager(t, &session.Config{Cookie: session.Cookie{Name: "__Host-admin"}, Services: services})
	c := sessiontest.NewClient(site.Handler(admin.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if session.FromContext(ctx) != admin.Session(ctx) || site.Session(ctx) == admin.Session(ctx) {
			t.Error("FromContext: got another session, want the innermost Manager's")
		}
		if q, err := service.Query[*session.Manager](ctx); q != site || err != nil {
			t.Errorf("Query: got %p and error %v, want the Manager that was made first", q, err)
		}
		if q, err := service.QueryNamed[*session.Manager](ctx, "__Host-admin"); q != admin || err != nil {
			t.Errorf("QueryNamed: got %p and error %v, want the other Manager", q, err)
		}
		outer := session.NewContext(ctx, site.Session(ctx))
		fromSite, err := fixture.Color.Get(outer)
		expect.OK(t, err)
		fromAdmin, err := fixture.Color.Get(ctx)
		expect.OK(t, err)
		expect.OK(t, fixture.Color.Set(outer, "site"))
		expect.OK(t, fixture.Color.Set(ctx, "admin"))
		fmt.Fprintf(w, "%s %s", fromSite, fromAdmin)
	}))))
	w := c.Get("/")
	expect.Equal(t, "values at the first visit", w.Body.String(), " ")
	var names []string
	for _, cookie := range w.Result().Cookies() {
		names = append(names, cookie.Name)
	}
	expect.Equal(t, "cookies", strings.Join(names, " "), "__Host-admin __Host-site")
	w = c.Get("/")
	expect.Equal(t, "values at the second visit", w.Body.String(), "site admin")
	expect.Equal(t, "number of cookies at the second visit", len(w.Result().Cookies()), 0)
}

func TestWithoutTheMiddleware(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	ctx := t.Context()
	s := session.FromContext(ctx)
	if s == nil || m.Session(ctx) == nil {
		t.Fatal("session of a bare context: got nil, want one that says ErrNoMiddleware")
	}
	tests := map[string]func() error{
		"Key.Get":        func() error { _, err := fixture.Color.Get(ctx); return err },
		"Key.Lookup":     func() error { _, _, err := fixture.Color.Lookup(ctx); return err },
		"Key.Set":        func() error { return fixture.Color.Set(ctx, "red") },
		"Key.Delete":     func() error { return fixture.Color.Delete(ctx) },
		"Key.Take":       func() error { _, _, err := fixture.Color.Take(ctx); return err },
		"Key.Update":     func() error { _, err := fixture.Color.Update(ctx, same); return err },
		"Counter.Add":    func() error { _, err := fixture.Visits.Add(ctx, 1); return err },
		"Counter.Get":    func() error { _, err := fixture.Visits.Get(ctx); return err },
		"Exists":         func() error { _, err := s.Exists(); return err },
		"Renew":          s.Renew,
		"End":            s.End,
		"SetOwner":       func() error { return s.SetOwner("ann") },
		"Owner":          func() error { _, err := s.Owner(); return err },
		"SetLabel":       func() error { return s.SetLabel("device", "a phone") },
		"Persist":        func() error { return s.Persist(true) },
		"SetIdleTimeout": func() error { return s.SetIdleTimeout(time.Hour) },
		"SetLifetime":    func() error { return s.SetLifetime(time.Hour) },
		"Info":           func() error { _, err := s.Info(); return err },
		"Names":          func() error { _, err := s.Names(); return err },
		"Values":         func() error { _, err := s.Values(); return err },
		"Clear":          s.Clear,
		"Commit":         func() error { return s.Commit(ctx) },
		"Reload":         func() error { return s.Reload(ctx) },
		"Token":          func() error { _, err := s.Token(); return err },
		"another Manager's": func() error {
			_, err := m.Session(context.WithoutCancel(ctx)).Exists()
			return err
		},
	}
	for name, do := range tests {
		t.Run(name, func(t *testing.T) { expect.Is(t, name, do(), session.ErrNoMiddleware) })
	}
	expect.Equal(t, "ID", s.ID(), session.ID{})
}

func TestContextOfTheRequest(t *testing.T) {
	type key struct{}
	m, _ := fixture.NewManager(t, nil)
	cause := errors.New("the client has left")
	parent, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "value"))
	timed, stop := context.WithTimeout(parent, time.Hour)
	defer stop()
	deadline, _ := timed.Deadline()
	m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		expect.Equal(t, "value of the parent", ctx.Value(key{}), any("value"))
		got, ok := ctx.Deadline()
		expect.Equal(t, "has a deadline", ok, true)
		expect.Equal(t, "deadline", got, deadline)
		expect.Is(t, "error", ctx.Err(), nil)
		child, stop := context.WithCancel(ctx)
		defer stop()
		cancel(cause)
		<-child.Done()
		expect.Is(t, "error after cancelling", ctx.Err(), context.Canceled)
		expect.Is(t, "cause after cancelling", context.Cause(child), cause)
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil).WithContext(timed))
}

func TestFilesOfUploadsAreRemoved(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	fixture.OnBothProtocols(t, func(t *testing.T, proto string) {
		m, _ := fixture.NewManager(t, nil)
		srv, browser := fixture.StartServer(t, proto,
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				expect.OK(t, r.ParseMultipartForm(1))
				expect.Equal(t, "files while the handler runs", countFiles(t, dir), 1)
			})))
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		part, err := form.CreateFormFile("file", "big.txt")
		expect.OK(t, err)
		part.Write(bytes.Repeat([]byte("x"), 1<<20))
		expect.OK(t, form.Close())
		resp, err := browser.Post(srv.URL, form.FormDataContentType(), &body)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		srv.Close() // waits until the request is over on the server's side too
		expect.Equal(t, "files after the request", countFiles(t, dir), 0)
	})
}

func countFiles(t *testing.T, dir string) int {
	t.Helper()
	entries, err := os.ReadDir(dir)
	expect.OK(t, err)
	return len(entries)
}
