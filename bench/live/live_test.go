package live

import (
	"os"
	"strings"
	"testing"

	"github.com/lazysession/session/bench/child"
	"github.com/lazysession/session/bench/measure"
)

func TestMain(m *testing.M) {
	child.Main(Sites())
	os.Exit(m.Run())
}

// All contenders do all works, and their answers are right.
func TestFiguresOfAllContenders(t *testing.T) {
	run := &measure.Run{Effort: measure.Effort{Fills: 1, Sockets: 60, Messages: 100}, Log: t.Logf}
	if err := Run(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	for _, work := range []string{idleRSS, idleHeap, echoCPU, fanCPU, fanBytes, stoppedMB, stoppedOn} {
		contenders := 0
		for _, s := range run.Samples {
			if s.Work == work && len(s.Rounds) == 1 {
				contenders++
			}
		}
		if contenders != 3 {
			t.Errorf("%s: got figures of %d contenders, want 3", work, contenders)
		}
	}
}

func TestWrongAnswersAreFound(t *testing.T) {
	for _, c := range contenders {
		server, err := child.Start(t.Context(), c.siteName())
		if err != nil {
			t.Fatal(err)
		}
		defer server.Stop()
		all, hangUp, err := turn{contender: c.name, server: server}.dialAll("/echo", 1)
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
