package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const bothHere = "You are both here."

// TestLiveRoom has two people talk in a private room while their connections are killed again and again: both see each
// message once, and in one order. A third is refused.
func TestLiveRoom(t *testing.T) {
	const rounds = 8
	forum := startForum(t)
	browser := startChromium(t)
	networks := []*tcpProxy{startProxy(t, forum.host()), startProxy(t, forum.host())}
	ada := newPerson(t, browser, "http://"+networks[0].address())
	bob := newPerson(t, browser, "http://"+networks[1].address())
	ada.console.expect("WebSocket")
	bob.console.expect("WebSocket")

	ada.logIn("Ada")
	ada.open("/")
	ada.click(button("Start a private room"))
	ada.wantSoon("You are the first here. Waiting for the other…")
	screenshot(ada, "room-waiting")
	path := evaluate[string](ada, `location.pathname`)
	bob.open(path)
	ada.wantSoon(bothHere)
	bob.wantSoon(bothHere)
	ada.wantSoon("You are on the left")
	bob.wantSoon("You are on the right")

	third := newPerson(t, browser, forum.url)
	third.open(path)
	third.wantSoon("There are two people in this room already, and there is no place for a third.")
	third.want("Start a room of your own")
	screenshot(third, "room-refused")

	var want []string
	for i := range rounds {
		for j, p := range []*tab{ada, bob} {
			if (i+j)%2 == 0 {
				networks[j].cut()
			}
			text := fmt.Sprintf("message %d of %d", i, j)
			p.say(text)
			want = append(want, text)
		}
	}
	wantLines(t, ada, bob, want)
	screenshot(bob, "room")

	bob.open("/")
	ada.wantSoon("The other has left.")
	bob.open(path)
	ada.wantSoon(bothHere)
	ada.say("again")
	bob.wantSoon("again")
	if got := bob.lines(); len(got) != 1 || !strings.HasSuffix(got[0], fmt.Sprintf("| %d again", 2*rounds)) {
		t.Errorf("who came again sees %q, want the next index", got)
	}
}

// TestLiveRoomOffline says something while there is no connection: it arrives when there is one again.
func TestLiveRoomOffline(t *testing.T) {
	forum := startForum(t)
	browser := startChromium(t)
	network := startProxy(t, forum.host())
	ada := newPerson(t, browser, forum.url)
	bob := newPerson(t, browser, "http://"+network.address())
	bob.console.expect("WebSocket")
	ada.open("/")
	ada.click(button("Start a private room"))
	bob.open(evaluate[string](ada, `location.pathname`))
	ada.wantSoon(bothHere)
	bob.wantSoon(bothHere)

	network.stall()
	network.cut()
	bob.wantSoon(offline)
	ada.wantSoon("The other has lost the connection.")
	ada.say("are you there?")
	ada.wantSoon("are you there?")
	bob.say("no")
	bob.wantSoon("Sending…")
	screenshot(bob, "room-offline")
	network.resume()
	wantLines(t, ada, bob, []string{"are you there?", "no"})
	bob.wantGone("Sending…")
	bob.wantGone(offline)
	ada.wantSoon(bothHere)
}

func (p *tab) say(text string) {
	p.t.Helper()
	p.do("saying "+text, chromedp.SendKeys(`//*[@id="text"]`, text+"\r", chromedp.NodeVisible))
}

// lines are those of the room: identity, index and text.
func (p *tab) lines() []string {
	p.t.Helper()
	return evaluate[[]string](p, `[...document.querySelectorAll("#said li")].map((li) =>
		(li.querySelector(".number")?.textContent ?? "") + " " + (li.querySelector(".text") ?? li).textContent)`)
}

var linePattern = regexp.MustCompile(`^(\d{4}) \| (\d+) (.*)$`)

// wantLines waits until both sides of a room see as many messages as there are, and wants the same ones in the same
// order, with all indexes from 0 and one identity.
func wantLines(t *testing.T, a, b *tab, want []string) {
	t.Helper()
	for _, p := range []*tab{a, b} {
		p.waitUntil(fmt.Sprintf(`document.querySelectorAll("#said li").length >= %d`, len(want)))
	}
	time.Sleep(200 * time.Millisecond) // for what should not come
	got, other := a.lines(), b.lines()
	if !slices.Equal(got, other) {
		t.Errorf("the sides see\n%q\n%q\nwant the same", got, other)
	}
	var texts []string
	identity := ""
	for i, line := range got {
		found := linePattern.FindStringSubmatch(line)
		if found == nil || found[2] != strconv.Itoa(i) || identity != "" && found[1] != identity {
			t.Fatalf("line %d is %q, want the index %d and the identity %q; all lines:\n%q", i, line, i, identity, got)
		}
		identity = found[1]
		texts = append(texts, found[3])
	}
	slices.Sort(texts)
	if want = slices.Sorted(slices.Values(want)); !slices.Equal(texts, want) {
		t.Errorf("got the texts\n%q\nwant each once:\n%q", texts, want)
	}
}
