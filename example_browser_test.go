package session_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/lazysession/session/sessiontest"
)

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
