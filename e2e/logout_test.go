package e2e

import "testing"

// TestBackAfterLogout goes back to private pages after logging out. They show nothing private, since the browser keeps
// none of them.
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

// back goes one page back. It waits for another document and not for a load: the browser may bring back a page that it
// kept whole, and the address may be the same.
func (p *tab) back() {
	p.t.Helper()
	evaluate[any](p, `window.left = true, history.back()`)
	p.waitUntil(`!window.left && document.readyState === "complete"`)
}
