package e2e

import (
	"fmt"
	"syscall"
	"testing"
)

// TestLiveFarm follows a forum and sits in a room on a farm, while its servers are killed one after the other: the
// pages go on on another one, miss nothing, and are never loaded again.
func TestLiveFarm(t *testing.T) {
	farm := startFarm(t)
	browser := startChromium(t)
	person := func() *tab {
		p := newPerson(t, browser, "http://"+farm.listen)
		p.console.expect("WebSocket") // connections to a dead server
		return p
	}
	author, reader, left, right := person(), person(), person(), person()
	reader.open(lobby)
	reader.wantSoon("1 person here")
	author.logIn("Ada")
	author.post("while all servers live")
	reader.wantSoon("while all servers live")
	left.open("/")
	left.click(button("Start a private room"))
	right.open(evaluate[string](left, `location.pathname`))
	left.wantSoon(bothHere)
	right.wantSoon(bothHere)
	for _, p := range []*tab{reader, left, right} {
		evaluate[bool](p, `window.sameDocument = true`)
	}

	var said []string
	for i, pid := range farm.forums[:2] {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf("after the death of %d", i+1)
		left.say(text)
		right.say(text + ", too")
		said = append(said, text, text+", too")
		author.post(text)
		reader.wantSoon(text)
	}
	wantLines(t, left, right, said)
	screenshot(reader, "live-farm-forum")
	screenshot(left, "live-farm-room")

	if n := evaluate[int](reader, `document.querySelectorAll("[data-post]").length`); n != 4 {
		t.Errorf("the reader sees %d posts, want 4, each once", n)
	}
	for name, p := range map[string]*tab{"the reader's": reader, "the left": left, "the right": right} {
		if !evaluate[bool](p, `window.sameDocument === true`) {
			t.Errorf("%s page was loaded again", name)
		}
	}
}
