package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/lazysession/session/internal/pgtest"
)

// TestWithoutScripts uses the forum in a browser that runs no scripts.
func TestWithoutScripts(t *testing.T) {
	forum := startForum(t)
	ada := newPerson(t, startChromium(t), forum.url)
	off := emulation.SetScriptExecutionDisabledParams{Value: true}
	if _, err := chromedp.Call(ada.ctx, emulation.SetScriptExecutionDisabled, off); err != nil {
		t.Fatal(err)
	}
	ada.logIn("Ada")
	ada.post("written without scripts")
	ada.want("You have visited this forum 1 time in the current session.")
	ada.wantNot("here")
	ada.open("/inside")
	ada.want("Without scripts, pages have no sockets.")
	ada.open("/")
	ada.click(button("Start a private room"))
	ada.want("This room needs scripts.")
	ada.wantNot("Send this address")
	screenshot(ada, "room-without-scripts")
}

// TestLiveEndsWithTheSession logs out in one tab: the other says that it is out of date.
func TestLiveEndsWithTheSession(t *testing.T) {
	forum := startForum(t)
	ada := newPerson(t, startChromium(t), forum.url)
	ada.logIn("Ada")
	ada.open(lobby)
	ada.wantSoon("1 person here")
	other := ada.anotherTab()
	other.open("/")
	other.click(button("Log out"))
	ada.wantSoon("Your session has ended, so this page is no longer up to date.")
	screenshot(ada, "live-ended")
	ada.click(link("Load it again"))
	ada.wantSoon("1 person here")
}

// TestLiveLogin logs in while another tab follows a forum: that goes on with the new cookie.
func TestLiveLogin(t *testing.T) {
	forum := startForum(t)
	reader := newPerson(t, startChromium(t), forum.url)
	reader.open(lobby)
	reader.wantSoon("1 person here")
	other := reader.anotherTab()
	other.logIn("Ada")
	other.post("logged in meanwhile")
	reader.wantSoon("logged in meanwhile")
	reader.open("/inside")
	reader.wantSoon("once in this session")
}

// TestLiveOnAnotherServer stops the server that a page is connected to. The page goes on with another one, which knows
// its session and not its socket, and asks for what was posted meanwhile.
func TestLiveOnAnotherServer(t *testing.T) {
	t.Setenv("FORUM_KEYS", strings.Repeat("ab", 32))
	store := "-store=" + pgtest.Shared(t).Database(t)
	first := startForum(t, store)
	browser := startChromium(t)
	reader := newPerson(t, browser, first.url)
	reader.console.expect("WebSocket")
	reader.open(lobby)
	reader.wantSoon("1 person here")

	first.terminate()
	<-first.exited
	reader.wantSoon(offline)
	elsewhere := startForum(t, store)
	ada := newPerson(t, browser, elsewhere.url)
	ada.logIn("Ada")
	ada.post("written elsewhere")

	second := startForum(t, store, "-listen", first.host())
	reader.wantSoon("written elsewhere")
	reader.wantGone(offline)
	bob := newPerson(t, browser, second.url)
	bob.logIn("Bob")
	bob.post("written here")
	reader.wantSoon("written here")
}
