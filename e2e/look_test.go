package e2e

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// A page is one to look at.
type page struct {
	name, path string
	status     int64
}

var guestPages = []page{
	{"forums", "/", 200},
	{"forum", lobby, 200},
	{"at-once", lobby + "/at-once", 200},
	{"login", "/login", 200},
	{"inside-empty", "/inside", 200},
	{"about", "/about", 200},
	{"room-alone", "/rooms/abcdefghijklmnopqrstuvwxyz", 200},
	{"connection", "/connection", 200},
	{"missing", "/nowhere", 404},
}

var memberPages = []page{
	{"forums-member", "/", 200},
	{"forum-member", lobby, 200},
	{"new", lobby + "/new", 200},
	{"sessions", "/sessions", 200},
	{"inside", "/inside", 200},
	{"login-member", "/login", 200},
}

// TestEveryPageCanBeRead looks at each page on a phone and a desk, by day and by night.
func TestEveryPageCanBeRead(t *testing.T) {
	forum := startForum(t)
	browser := startChromium(t)
	guest, member := newPerson(t, browser, forum.url), newPerson(t, browser, forum.url)
	// Names and posts as long as they may be, without a place to break.
	member.logIn(strings.Repeat("W", 40))
	newPerson(t, browser, forum.url).logIn(strings.Repeat("W", 40))
	member.open(lobby + "/new")
	member.write(field("Your post"), strings.Repeat("unbreakable", 30))
	member.click(button("Post"))

	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{360, 1200} {
			view := fmt.Sprintf("%s-%d", scheme, width)
			t.Run(view, func(t *testing.T) {
				guest.on(t).see(scheme, width).checkPages(view, guestPages)
				member.on(t).see(scheme, width).checkPages(view, memberPages)
			})
		}
	}
}

// on returns the tab for use in a subtest.
func (p *tab) on(t *testing.T) *tab {
	sub := *p
	sub.t = t
	return &sub
}

// see sets how the person sees the pages to come.
func (p *tab) see(scheme string, width int64) *tab {
	p.t.Helper()
	media := emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, media); err != nil {
		p.t.Fatal(err)
	}
	p.do("resizing", chromedp.EmulateViewport(width, 800))
	return p
}

func (p *tab) checkPages(view string, pages []page) {
	for _, page := range pages {
		p.t.Run(page.name, func(t *testing.T) {
			q := p.on(t)
			q.wantStatus("opening "+page.path, page.status, chromedp.Navigate(p.site+page.path))
			screenshot(q, page.name+"-"+view)
			q.checkWidth()
			q.checkContrast()
		})
	}
}

// checkWidth wants a page that never has to be moved sideways.
func (p *tab) checkWidth() {
	p.t.Helper()
	overflow := evaluate[int](p, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
	if overflow > 0 {
		p.t.Errorf("the page is %d px wider than the window", overflow)
	}
}

//go:embed contrast.js
var contrastScript string

// A contrast is that of some text to what is behind it.
type contrast struct {
	Text  string  `json:"text"`
	Ratio float64 `json:"ratio"`
}

// checkContrast wants all text to stand out (WCAG 2.2, 1.4.3).
func (p *tab) checkContrast() {
	p.t.Helper()
	const enough = 4.5
	contrasts := evaluate[[]contrast](p, contrastScript)
	if len(contrasts) == 0 {
		p.t.Error("found no text")
	}
	for _, c := range contrasts {
		if c.Ratio < enough {
			p.t.Errorf("the contrast of %q is %.2f, want %.1f", c.Text, c.Ratio, enough)
		}
	}
}

// screenshot keeps the whole page as a picture in the folder E2E_SCREENSHOTS, or else among the test's artifacts.
func screenshot(p *tab, name string) {
	p.t.Helper()
	dir := os.Getenv("E2E_SCREENSHOTS")
	if dir == "" {
		dir = p.t.ArtifactDir()
	}
	picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644)
	}
	if err != nil {
		p.t.Errorf("taking a screenshot: %v", err)
	}
}
