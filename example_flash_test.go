package session_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store/mem"
)

var notices = session.NewFlash("notices")

func saveProfile(w http.ResponseWriter, r *http.Request) {
	if err := notices.Add(r.Context(), "info", "Your profile is saved."); err != nil {
		session.Error(w, r, err)
		return
	}
	http.Redirect(w, r, "/profile", http.StatusSeeOther) // the notice is stored before the redirect goes out
}

func closeProfile(w http.ResponseWriter, r *http.Request) {
	err := session.FromContext(r.Context()).End()
	err = errors.Join(err, notices.Add(r.Context(), "warning", "You have logged out.")) // in a new session, without a name
	if err != nil {
		session.Error(w, r, err)
		return
	}
	http.Redirect(w, r, "/profile", http.StatusSeeOther)
}

func showProfile(w http.ResponseWriter, r *http.Request) {
	messages, err := notices.Take(r.Context())
	if err != nil {
		session.Error(w, r, err)
		return
	}
	for _, m := range messages {
		fmt.Fprintf(w, "[%s] %s ", m.Kind, m.Text)
	}
	fmt.Fprintln(w, "This is you.")
}

// Show a message once, on the page after a redirect, also after a logout.
func ExampleFlash() {
	m, err := session.New(mem.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /profile", saveProfile)
	mux.HandleFunc("POST /logout", closeProfile)
	mux.HandleFunc("GET /profile", showProfile)

	newBrowser(m.Handler(mux)).visit("POST /profile", "GET /profile", "POST /logout", "GET /profile")
	// Output:
	// [info] Your profile is saved. This is you.
	// This is you.
	// [warning] You have logged out. This is you.
	// This is you.
}
