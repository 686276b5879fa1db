package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// A place is where something is on the page, in CSS pixels.
type place struct {
	Name   string  `json:"name"`
	X      float64 `json:"x"`
	Y      float64 `json:"y"`
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
}

// TestNavigationStaysInPlace goes through all pages, short and long, as a guest and logged in. The links above the
// content never move, and each page has the account.
func TestNavigationStaysInPlace(t *testing.T) {
	forum := startForum(t)
	browser := startChromium(t)
	guest, member := newPerson(t, browser, forum.url), newPerson(t, browser, forum.url)
	member.logIn(strings.Repeat("W", 40)) // as long as a name may be
	for _, width := range []int64{360, 700, 800, 1200} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			var first []place
			for _, visit := range []struct {
				*tab
				pages []page
			}{{guest.on(t), guestPages}, {member.on(t), memberPages}, {member.on(t), guestPages}} {
				visit.see("light", width)
				for _, page := range visit.pages {
					visit.wantStatus("opening "+page.path, page.status, chromedp.Navigate(visit.site+page.path))
					places := evaluate[[]place](visit.tab, navigationPlaces)
					if first == nil {
						first = places
					}
					if got, want := fmt.Sprint(places), fmt.Sprint(first); got != want {
						t.Errorf("%s: the navigation is at\n%s, want\n%s", page.path, got, want)
					}
					if !evaluate[bool](visit.tab, `document.querySelector(".account").getBoundingClientRect().width > 0`) {
						t.Errorf("%s: there is no account", page.path)
					}
				}
			}
		})
	}
}

// navigationPlaces are those of the site's name, of the links and of the content's beginning.
const navigationPlaces = `[...document.querySelectorAll(".brand, nav a, main")].map(e => {
	const box = e.getBoundingClientRect(), content = e.matches("main");
	const name = content ? "content" : e.innerText;
	return {name, x: box.x, y: box.y, width: box.width, height: content ? 0 : box.height};
})`
