package session_test

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
)

// A browser keeps cookies and follows redirects. The examples use it in place of a real one.
type browser struct {
	site http.Handler
	jar  *cookiejar.Jar
}

func newBrowser(site http.Handler) *browser {
	jar, _ := cookiejar.New(nil) // without options there is no error
	return &browser{site, jar}
}

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
	r := httptest.NewRequest(method, "https://example.com"+path, nil)
	for _, c := range b.jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	rec := httptest.NewRecorder()
	b.site.ServeHTTP(rec, r)
	b.jar.SetCookies(r.URL, rec.Result().Cookies())
	return rec
}
