package session_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/lazysession/session"
	"github.com/lazysession/session/sessiontest"
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

// A browser follows redirects. The examples use it in place of a real one.
type browser struct{ *sessiontest.Client }

func newBrowser(site http.Handler) *browser { return &browser{sessiontest.NewClient(site)} }

// visit sends requests like "GET /books" and prints the answers.
func (b *browser) visit(requests ...string) {
	for _, request := range requests {
		method, path, _ := strings.Cut(request, " ")
		rec := b.send(method, path)
		if rec.Code == http.StatusSeeOther {
			rec = b.send("GET", rec.Header().Get("Location"))
		}
		fmt.Println(strings.TrimSpace(rec.Body.String()))
	}
}

func (b *browser) send(method, path string) *httptest.ResponseRecorder {
	return b.Do(httptest.NewRequest(method, path, nil))
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
