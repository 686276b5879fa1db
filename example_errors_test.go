package session_test

import (
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"

	"github.com/lazysession/session"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store/mem"
)

var colors = session.NewKey[string]("colors")

func chooseColors(w http.ResponseWriter, r *http.Request) {
	if err := colors.Set(r.Context(), r.FormValue("colors")); err != nil {
		session.Error(w, r, err) // the log gets the error, and the visitor a sentence with nothing internal in it
		return
	}
	fmt.Fprintln(w, "From now on it is", r.FormValue("colors")+".")
}

func readArticle(w http.ResponseWriter, r *http.Request) {
	chosen, err := colors.Get(r.Context())
	if err != nil {
		// The article can be read without a session. Degrade says so; without it, the response would be refused.
		session.FromContext(r.Context()).Degrade()
		chosen = "black on white, for your settings can't be reached"
	}
	fmt.Fprintf(w, "An article in %s.\n", chosen)
}

// newColorfulSite returns a site and its database. The log would be in the way of the examples' output.
func newColorfulSite() (*session.Manager, http.Handler, *sessiontest.BrokenStore) {
	db := sessiontest.Broken(mem.New(nil))
	m, err := session.New(db, &session.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /colors", chooseColors)
	mux.HandleFunc("GET /article", readArticle)
	return m, m.Handler(mux), db
}

// Answer an error that the handler has no better answer to: 503, 409, 413 or 500, and nothing internal in the text.
func ExampleError() {
	m, site, db := newColorfulSite()
	defer m.Close()

	ann := newBrowser(site)
	ann.visit("POST /colors?colors=green")
	db.Fail(errors.New("no route to app@db.internal:5432"))
	ann.visit("POST /colors?colors=blue")
	db.Mend()
	ann.visit("GET /article")
	// Output:
	// From now on it is green.
	// Sessions are unavailable. Nothing may have been saved. Try again.
	// An article in green.
}

// Show a page that works without its session, while the store can't be reached.
func ExampleSession_Degrade() {
	m, site, db := newColorfulSite()
	defer m.Close()

	ann := newBrowser(site)
	ann.visit("POST /colors?colors=green", "GET /article")
	db.Fail(nil)
	ann.visit("GET /article")
	// Output:
	// From now on it is green.
	// An article in green.
	// An article in black on white, for your settings can't be reached.
}
