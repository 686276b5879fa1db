package sessiontest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
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
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func Example() {
	// In a file of tests this is: func TestLogout(t *testing.T) { … }
	TestLogout := func(t *testing.T) {
		m, clock := sessiontest.New(t, nil)

		// 1. A visitor who is logged in already.
		req := sessiontest.NewRequest(t, m, "POST", "/logout", nil, func(ctx context.Context) error {
			return user.Set(ctx, "Ann")
		})
		clock.Advance(10 * time.Minute)

		// 2. Your handler.
		rec := httptest.NewRecorder()
		m.Handler(http.HandlerFunc(logout)).ServeHTTP(rec, req)

		// 3. The visitor with the response.
		after := sessiontest.After(t, m, req, rec.Result())
		if name, err := user.Get(after); err != nil || name != "" {
			t.Errorf("user after logout: got %q, %v, want none", name, err)
		}
	}
	_ = TestLogout
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
