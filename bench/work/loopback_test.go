package work

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/lazysession/session/bench/child"
	"github.com/lazysession/session/bench/measure"
)

func TestMain(m *testing.M) {
	child.Main(Sites())
	os.Exit(m.Run())
}

func TestFiguresOverANetwork(t *testing.T) {
	run := &measure.Run{Effort: tiny, Log: t.Logf}
	err := Loopback(t.Context(), run)
	if errors.Is(err, ErrNoGenerator) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range run.Samples {
		if len(s.Rounds) != tiny.Turns || slices.Min(s.Rounds) <= 0 {
			t.Errorf("%s of %s: got %v %s, want %d figures above 0", s.Work, s.Contender, s.Rounds, s.Unit, tiny.Turns)
		}
	}
	if want := 2 * len(overNetwork) * len(networked); len(run.Samples) != want {
		t.Errorf("samples: got %d, want %d", len(run.Samples), want)
	}
}

// A server that does something else than it is asked to is found out.
func TestWrongAnswersAreFound(t *testing.T) {
	all, err := startAll(t.Context())
	defer stopAll(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.whyNot(work{task: countHit}) != "" {
			continue
		}
		r, err := newRig(s.contender, work{name: "count", task: countHit, values: 1}, 1)
		if err != nil {
			t.Fatal(err)
		}
		r.sent++
		if err := r.check(); err == nil {
			t.Errorf("%s: a hit that was not counted is not missed", s.name)
		}
	}
}

func TestParse(t *testing.T) {
	const good = `
    Latency   331.05us  100.00us   5.00ms   87.99%
    Req/Sec    48.36k     1.02k   49.81k    80.00%
  Latency Distribution
     50%  310.00us
     99%    1.25ms
Requests/sec:  48123.45
`
	got, err := parse(good)
	if want := (load{48123.45, 1250}); got != want || err != nil {
		t.Errorf("parse: got %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{
		"",
		"Requests/sec:  48123.45\n",
		good + "  Non-2xx or 3xx responses: 3\n",
		good + "  Socket errors: connect 0, read 1, write 0, timeout 0\n",
	} {
		if got, err := parse(bad); err == nil {
			t.Errorf("parse(%q): got %+v, want an error", bad, got)
		}
	}
}

// The bare handler would else be asked with less.
func TestForeignCookieIsAsLongAsOurs(t *testing.T) {
	all, err := startAll(t.Context())
	defer stopAll(all)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(all, func(s *site) bool { return s.name == measure.Ours })
	r, err := newRig(all[at].contender, overNetwork[0], 1)
	if err != nil {
		t.Fatal(err)
	}
	if cookie := r.clients[0].cookie(); len(cookie) != len(foreign) {
		t.Errorf("ours has %d bytes, the foreign one %d", len(cookie), len(foreign))
	}
}
