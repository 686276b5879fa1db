package session_test

import (
	"fmt"
	"log"
	"net/http"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store/mem"
)

var pageVisits = session.NewCounter("visits")

func countHit(w http.ResponseWriter, r *http.Request) {
	n, err := pageVisits.Next(r.Context())
	if err != nil {
		session.Error(w, r, err)
		return
	}
	fmt.Fprintf(w, "Visit %d\n", n)
}

// Count the visits of each visitor.
func Example() {
	m, err := session.New(mem.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	site := m.Handler(http.HandlerFunc(countHit))
	// In a program: http.ListenAndServeTLS(":8443", "cert.pem", "key.pem", site)

	ann, bob := newBrowser(site), newBrowser(site)
	ann.visit("GET /", "GET /")
	bob.visit("GET /")
	ann.visit("GET /")
	// Output:
	// Visit 1
	// Visit 2
	// Visit 1
	// Visit 3
}
