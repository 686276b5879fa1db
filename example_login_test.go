package session_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store/mem"
)

func logIn(w http.ResponseWriter, r *http.Request) {
	user := r.FormValue("user") // here the password is checked
	s := session.FromContext(r.Context())
	if err := errors.Join(s.Renew(), s.SetOwner(user)); err != nil {
		session.Error(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func logOut(w http.ResponseWriter, r *http.Request) {
	if err := session.FromContext(r.Context()).End(); err != nil {
		session.Error(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func greet(w http.ResponseWriter, r *http.Request) {
	user, err := session.FromContext(r.Context()).Owner()
	switch {
	case err != nil: // never take an error for "not logged in"
		session.Error(w, r, err)
	case user == "":
		fmt.Fprintln(w, "Please log in.")
	default:
		fmt.Fprintf(w, "Hello, %s.\n", user)
	}
}

// Log in with a new token, so that one that was planted or seen before is worth nothing, and log out.
func ExampleSession_Renew() {
	m, err := session.New(mem.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", logIn)
	mux.HandleFunc("POST /logout", logOut)
	mux.HandleFunc("GET /", greet)

	ann := newBrowser(m.Handler(mux))
	ann.visit("GET /", "POST /login?user=Ann", "GET /", "POST /logout")
	// Output:
	// Please log in.
	// Hello, Ann.
	// Hello, Ann.
	// Please log in.
}
