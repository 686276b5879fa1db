package e2e

import (
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// loginStops are what Tab stops at on the login page, in order.
var loginStops = []string{
	"Skip to the content", "Forum", "Forums", "Your sessions", "Inside", "About", "Log in",
	"Name", "Remember me on this device for 30 days", "Log in",
}

// TestLoginByKeyboard logs in without a pointer.
func TestLoginByKeyboard(t *testing.T) {
	forum := startForum(t)
	ada := newPerson(t, startChromium(t), forum.url)
	ada.open("/login")

	var stops []string
	for range loginStops {
		ada.do("pressing Tab", chromedp.KeyEvent(kb.Tab))
		f := focusOf(ada)
		if !f.Ring || !f.InView {
			t.Errorf("the focus on %q: ring shown %v, in view %v; want both", f.Name, f.Ring, f.InView)
		}
		stops = append(stops, f.Name)
	}
	if !slices.Equal(stops, loginStops) {
		t.Fatalf("Tab stops at %q, want %q", stops, loginStops)
	}

	back := kb.ModifierShift
	ada.do("pressing Shift+Tab twice",
		chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(back)),
		chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(back)))
	ada.do("typing", chromedp.KeyEvent("Ada"))
	ada.wantStatus("pressing Enter", 200, chromedp.KeyEvent(kb.Enter))
	ada.want("Welcome, Ada.")
}

// TestSkipLink wants the next Tab after the link to be in the content.
func TestSkipLink(t *testing.T) {
	forum := startForum(t)
	ada := newPerson(t, startChromium(t), forum.url)
	ada.open("/")
	ada.do("using the link", chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Tab))
	if !evaluate[bool](ada, `document.querySelector("main").contains(document.activeElement)`) {
		t.Errorf("after the skip link, Tab stops at %q, want something in the content", focusOf(ada).Name)
	}
}

// A focus is where the keyboard is.
type focus struct {
	Name   string `json:"name"`   // its words, or its label's
	Ring   bool   `json:"ring"`   // it can be seen
	InView bool   `json:"inView"` // without scrolling
}

func focusOf(p *tab) focus {
	p.t.Helper()
	return evaluate[focus](p, `(() => {
		const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
		return {
			name: (e.labels?.length ? e.labels[0] : e).innerText.trim(),
			ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== "none",
			inView: box.width > 0 && box.top >= 0 && box.left >= 0 && box.bottom <= innerHeight && box.right <= innerWidth,
		};
	})()`)
}
