package sessiontest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store/mem"
)

var user = session.NewKey[string]("user")

// logout is the handler under test.
func logout(w http.ResponseWriter, r *http.Request) {
	if err := session.FromContext(r.Context()).End(); err != nil {
		session.Error(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func Example() {
	// In a file of tests this is: func TestLogout(t *testing.T) { … }
	TestLogout := func(t *testing.T) {
		m, clock := sessiontest.New(t, nil)

		// 1. The request of a visitor with a session.
		req := sessiontest.NewRequest(t, m, "POST", "/logout", nil, func(ctx context.Context) error {
			return user.Set(ctx, "Ann")
		})
		clock.Advance(10 * time.Minute)

		// 2. Your handler.
		rec := httptest.NewRecorder()
		m.Handler(http.HandlerFunc(logout)).ServeHTTP(rec, req)

		// 3. The session after the response.
		after := sessiontest.After(t, m, req, rec.Result())
		if name, err := user.Get(after); err != nil || name != "" {
			t.Errorf("user after logout: got %q, %v, want none", name, err)
		}
	}
	_ = TestLogout
}

// A visitor logs in and out, over several requests.
func ExampleClient() {
	m, err := session.New(mem.New(nil), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := user.Set(r.Context(), r.FormValue("user")); err != nil {
			http.Error(w, "no login", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST /logout", logout)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		name, _ := user.Get(r.Context())
		fmt.Fprintf(w, "Hello, %q.", name)
	})

	ann := sessiontest.NewClient(m.Handler(mux))
	ann.Post("/login", url.Values{"user": {"Ann"}})
	fmt.Println(ann.Get("/").Body)
	ann.Post("/logout", nil)
	fmt.Println(ann.Get("/").Body)
	// Output:
	// Hello, "Ann".
	// Hello, "".
}

// A handler is tested while the store fails.
func ExampleBroken() {
	s := sessiontest.Broken(mem.New(nil))
	m, err := session.New(s, &session.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	c := sessiontest.NewClient(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user.Set(r.Context(), "Ann") // the error is ignored
		fmt.Fprint(w, "Saved.")
	})))

	s.Fail(nil, sessiontest.Commit)
	fmt.Println(c.Get("/").Code)
	s.Mend()
	fmt.Println(c.Get("/").Body)
	// Output:
	// 503
	// Saved.
}

// Your own Manager, on a store whose time you move.
func ExampleClock() {
	var clock sessiontest.Clock
	m, err := session.New(mem.New(&mem.Options{Now: clock.Now}), &session.Config{IdleTimeout: time.Hour})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()

	ctx := context.Background()
	s, _ := m.Create(ctx)
	token, _ := s.Token()

	clock.Advance(59 * time.Minute)
	_, err = m.Open(ctx, token)
	fmt.Println("ended:", errors.Is(err, session.ErrEnded))
	clock.Advance(2 * time.Minute)
	_, err = m.Open(ctx, token)
	fmt.Println("ended:", errors.Is(err, session.ErrEnded))
	// Output:
	// ended: false
	// ended: true
}
