package e2e

import (
	"fmt"
	"testing"
)

// TestBackAfterLogout goes back to private pages after logging out: they show nothing private, for the browser keeps none of them.
func TestBackAfterLogout(t *testing.T) {
	forum := startForum(t)
	browser := startChromium(t)
	for _, page := range []string{"/", "/inside", "/sessions", lobby + "/new"} {
		t.Run(page, func(t *testing.T) {
			ada := newPerson(t, browser, forum.url)
			ada.logIn("Ada")
			ada.open(page)
			ada.want("Ada")
			before := onlyCookie(ada)
			ada.click(button("Log out"))
			ada.want("You have logged out.")
			if after := onlyCookie(ada); after.Value == before.Value {
				t.Error("after the logout the cookie is the one from before it")
			}

			ada.back()
			ada.wantNot("Ada")
			ada.wantNot("Log out")
		})
	}
}

// back goes one page back. It waits for another address and not for a load: the browser may bring back a page that it
// kept whole.
func (p *tab) back() {
	p.t.Helper()
	from := evaluate[string](p, `location.href`)
	evaluate[any](p, `history.back()`)
	p.waitUntil(fmt.Sprintf(`location.href !== %q`, from))
}
