package e2e

import (
	"fmt"
	"testing"
)

// offline is what a page says while it has no connection.
const offline = "Offline. Reconnecting…"

// wantSoon waits until the page says something.
func (p *tab) wantSoon(text string) {
	p.t.Helper()
	p.waitUntil(fmt.Sprintf(`document.body.innerText.includes(%q)`, text))
}

// wantGone waits until the page says something no more.
func (p *tab) wantGone(text string) {
	p.t.Helper()
	p.waitUntil(fmt.Sprintf(`!document.body.innerText.includes(%q)`, text))
}

// post writes a post in the lobby.
func (p *tab) post(text string) {
	p.t.Helper()
	p.open(lobby + "/new")
	p.write(field("Your post"), text)
	p.click(button("Post"))
	p.want(text)
}

// TestLivePost posts in one tab: another one shows it without being loaded again, also what was posted while its
// connection was cut.
func TestLivePost(t *testing.T) {
	forum := startForum(t)
	network := startProxy(t, forum.host())
	browser := startChromium(t)
	ada := newPerson(t, browser, forum.url)
	ada.logIn("Ada")
	reader := newPerson(t, browser, "http://"+network.address())
	reader.open(lobby)
	reader.wantSoon("1 person here")
	evaluate[bool](reader, `window.sameDocument = true`)

	ada.post("the first <b>live</b> post")
	reader.wantSoon("the first <b>live</b> post")
	reader.wantSoon("2 people here")
	ada.wantSoon("2 people here")

	reader.console.expect("WebSocket")
	network.stall()
	network.cut()
	reader.wantSoon(offline)
	ada.post("written meanwhile")
	ada.wantSoon("1 person here")
	reader.wantNot("written meanwhile")
	screenshot(reader, "live-offline")
	network.resume()
	reader.wantSoon("written meanwhile")
	reader.wantGone(offline)
	reader.wantSoon("2 people here")

	for name, p := range map[string]*tab{"the reader": reader, "the author": ada} {
		if n := evaluate[int](p, `document.querySelectorAll("[data-post]").length`); n != 3 {
			t.Errorf("%s sees %d posts, want 3, each once", name, n)
		}
		want := "written meanwhile"
		if got := evaluate[string](p, `document.querySelector("[data-post] .text").textContent`); got != want {
			t.Errorf("%s sees %q first, want %q", name, got, want)
		}
	}
	if !evaluate[bool](reader, `window.sameDocument === true`) {
		t.Error("the reader's page was loaded again")
	}
	screenshot(reader, "live-forum")
}
