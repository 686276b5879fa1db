package e2e

import (
	"strings"
	"testing"
)

func TestEndAnotherDevice(t *testing.T) {
	forum := startForum(t)
	browser := startChromium(t)
	here, there := newPerson(t, browser, forum.url), newPerson(t, browser, forum.url)
	here.logIn("Ada")
	there.logIn("Ada")

	here.open("/sessions")
	wantDevices(here, 2)
	screenshot(here, "sessions-two")
	here.click(button("End the session"))
	here.want("has ended.")
	wantDevices(here, 1)

	there.click(link("Your sessions"))
	there.want("Log in to see your sessions.")
	there.wantNot("Log out")
	here.open("/")
	here.want("Ada")
}

func TestEndAllOtherDevices(t *testing.T) {
	forum := startForum(t)
	browser := startChromium(t)
	here := newPerson(t, browser, forum.url)
	here.logIn("Ada")
	others := []*tab{newPerson(t, browser, forum.url), newPerson(t, browser, forum.url)}
	for _, other := range others {
		other.logIn("Ada")
	}
	stranger := newPerson(t, browser, forum.url)
	stranger.logIn("Grace")

	here.open("/sessions")
	wantDevices(here, 3)
	here.click(button("End all others"))
	here.want("Ended 2 other sessions.")
	wantDevices(here, 1)
	for _, other := range others {
		other.click(link("Forums"))
		other.wantNot("Log out")
	}
	stranger.click(link("Forums"))
	stranger.want("Grace")
}

// wantDevices wants so many sessions in the list, one of them this one.
func wantDevices(p *tab, n int) {
	p.t.Helper()
	text := p.text()
	if got := strings.Count(text, "Public ID"); got != n {
		p.t.Fatalf("the list has %d sessions, want %d:\n%s", got, n, text)
	}
	if got := strings.Count(text, "this device"); got != 1 {
		p.t.Fatalf("%d sessions are marked as this device's, want 1:\n%s", got, text)
	}
}
