package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestLivePagesCanBeRead looks at what the scripts add to the pages, on a phone and a desk, by day and by night.
func TestLivePagesCanBeRead(t *testing.T) {
	forum := startForum(t)
	network := startProxy(t, forum.host())
	browser := startChromium(t)
	ada := newPerson(t, browser, forum.url)
	bob := newPerson(t, browser, "http://"+network.address())
	bob.console.expect("WebSocket")
	inside := bob.anotherTab()
	inside.console.expect("WebSocket")
	ada.logIn(strings.Repeat("W", 40))
	ada.open("/")
	ada.click(button("Start a private room"))
	bob.open(evaluate[string](ada, `location.pathname`))
	bob.wantSoon(bothHere)
	ada.wantSoon(bothHere)
	ada.say(strings.Repeat("unbreakable", 30))
	bob.say("short")
	ada.wantSoon("short")
	bob.wantSoon("short")
	ada.say("What do you think of a message that is a little longer, and goes over more than one line?")
	bob.wantSoon("more than one line")
	reader := bob.anotherTab()
	reader.console.expect("WebSocket")
	reader.open("/forums/books")
	reader.wantSoon("1 person here")
	inside.open("/inside")
	inside.wantSoon("This page’s ID")

	look := func(what string) {
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{360, 1200} {
				for name, p := range map[string]*tab{"room": bob, "forum": reader, "inside": inside} {
					view := fmt.Sprintf("live-%s-%s-%s-%d", name, what, scheme, width)
					t.Run(view, func(t *testing.T) {
						q := p.on(t).see(scheme, width)
						screenshot(q, view)
						q.checkWidth()
						q.checkContrast()
					})
				}
			}
		}
	}
	look("online")
	network.stall()
	network.cut()
	for _, p := range []*tab{bob, reader, inside} {
		p.wantSoon(offline)
	}
	look("offline")
	network.resume()
}
