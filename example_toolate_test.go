package session_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store/mem"
)

var language = session.NewKey[string]("language")

// This handler is incorrect: it writes first. The first byte takes the header with it, so a new visitor's cookie can't
// be sent any more.
func chooseLanguageTooLate(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, "Welcome.")
	err := language.Set(r.Context(), "en")
	fmt.Fprintln(w, "Too late:", errors.Is(err, session.ErrTooLate))
}

// The correct handler changes the session first, and writes then.
func chooseLanguage(w http.ResponseWriter, r *http.Request) {
	if err := language.Set(r.Context(), "en"); err != nil {
		session.Error(w, r, err)
		return
	}
	fmt.Fprintln(w, "Welcome.")
}

// Change the session before the response begins, not after.
func ExampleKey_Set_incorrect() {
	m, err := session.New(mem.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	newBrowser(m.Handler(http.HandlerFunc(chooseLanguageTooLate))).visit("GET /")
	newBrowser(m.Handler(http.HandlerFunc(chooseLanguage))).visit("GET /")
	// Output:
	// Welcome.
	// Too late: true
	// Welcome.
}
