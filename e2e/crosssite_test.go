package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestFormsOfOtherOriginsAreRefused has a page of somebody else send the forum's forms in a visitor's name.
func TestFormsOfOtherOriginsAreRefused(t *testing.T) {
	for _, test := range []struct{ name, host, action string }{
		{"logout from another site", "localhost", "/logout"}, // SameSite=Lax keeps the cookie back
		{"logout from another port", "127.0.0.1", "/logout"}, // the same site to a cookie, which is sent
		{"login from another site", "localhost", "/login"},   // needs no cookie
		{"post from another port", "127.0.0.1", lobby + "/posts"},
		{"ending sessions from another port", "127.0.0.1", "/sessions/end-others"},
	} {
		t.Run(test.name, func(t *testing.T) {
			forum := startForum(t)
			trap := httptest.NewServer(trapFor(forum.url + test.action))
			t.Cleanup(trap.Close)
			ada := newPerson(t, startChromium(t), forum.url)
			ada.logIn("Ada")

			address := strings.Replace(trap.URL, "127.0.0.1", test.host, 1)
			ada.wantStatus("opening the trap", 200, chromedp.Navigate(address))
			ada.wantStatus("stepping into the trap", 403, chromedp.Click(button("Win")))
			ada.want("Nothing was changed.")
			ada.open(lobby)
			ada.want("Ada")
			ada.wantNot("Mallory")
		})
	}
}

// trapFor is a page with a form that goes elsewhere.
func trapFor(action string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!doctype html><link rel="icon" href="data:,"><form method="post" action="%s">
			<input name="name" value="Mallory"><input name="text" value="by Mallory"><button>Win</button></form>`, action)
	})
}
