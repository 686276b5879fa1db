package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lazysession/session/bench/child"
)

func TestMain(m *testing.M) {
	child.Main(serve)
	os.Exit(m.Run())
}

// All contenders do all works, and their answers are right.
func TestReport(t *testing.T) {
	p := planOf(true)
	p.idle, p.echoes, p.messages, p.behind = 50, 50, 10, 100
	out := filepath.Join(t.TempDir(), "live.md")
	if err := report(t.Context(), p, out); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, work := range []string{idleRSS, idleHeap, echoCPU, fanCPU, fanBytes, stoppedMB, stoppedOn} {
		if !strings.Contains(string(text), "\n| "+work+" | ") {
			t.Errorf("the page lacks %q:\n%s", work, text)
		}
	}
}

func TestWrongAnswersAreFound(t *testing.T) {
	for _, c := range contenders {
		s, err := start(t.Context(), c.name)
		if err != nil {
			t.Fatal(err)
		}
		defer s.stop()
		all, hangUp, err := dialAll(s, "/echo", 1)
		defer hangUp()
		if err != nil {
			t.Fatal(err)
		}
		if err := all[0].send([]byte(`"one"`)); err != nil {
			t.Fatal(err)
		}
		if err := all[0].want([]byte(`"two"`)); err == nil || !strings.Contains(err.Error(), `want "\"two\""`) {
			t.Errorf("%s: got error %v, want the wrong answer named", c.name, err)
		}
	}
}

func TestUnknownContender(t *testing.T) {
	if err := serve("none"); err == nil {
		t.Error("no error")
	}
}

func TestParse(t *testing.T) {
	for _, test := range []struct {
		text, data string
		n          uint64
		stream     string
	}{
		{`[42,"x"]`, `"x"`, 42, ""},
		{`[1021,"x","room/7"]`, `"x"`, 1021, "room/7"},
		{`{"t":"member","s":"fan","n":1022,"e":"joined"}`, "", 1022, "fan"},
		{`{"t":"ack","in":20}`, "", 0, ""},
	} {
		data, n, stream := parse([]byte(test.text))
		if string(data) != test.data || n != test.n || stream != test.stream {
			t.Errorf("%s: got %q %d %q", test.text, data, n, stream)
		}
	}
}
