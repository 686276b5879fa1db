package session_test

import (
	"fmt"
	"log"
	"net/http"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store/mem"
)

var notice = session.NewKey[string]("notice")

func saveProfile(w http.ResponseWriter, r *http.Request) {
	if err := notice.Set(r.Context(), "Your profile is saved."); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/profile", http.StatusSeeOther) // the notice is stored before the redirect goes out
}

func showProfile(w http.ResponseWriter, r *http.Request) {
	text, ok, err := notice.Take(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if ok {
		fmt.Fprint(w, text, " ")
	}
	fmt.Fprintln(w, "This is you.")
}

// Show a message once, on the page after a redirect.
func ExampleKey_Take() {
	m, err := session.New(mem.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /profile", saveProfile)
	mux.HandleFunc("GET /profile", showProfile)

	ann := newBrowser(m.Handler(mux))
	ann.visit("POST /profile", "GET /profile")
	// Output:
	// Your profile is saved. This is you.
	// This is you.
}
