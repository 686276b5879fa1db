package loopback

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/lazysession/session/bench/child"
	"github.com/lazysession/session/bench/sample"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

func TestFiguresOfAllContenders(t *testing.T) {
	p := plan{works: works[2:], rounds: 1, seconds: 1, connections: 2}
	samples, err := p.run(t.Context(), t.Logf)
	if errors.Is(err, ErrNoGenerator) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range samples {
		if len(s.Rounds) != p.rounds || slices.Min(s.Rounds) <= 0 {
			t.Errorf("%s of %s: got %v %s, want %d figures above 0", s.Work, s.Contender, s.Rounds, s.Unit, p.rounds)
		}
	}
	if want := 2 * len(p.works) * len(contenders); len(samples) != want {
		t.Errorf("samples: got %d, want %d", len(samples), want)
	}
}

func TestWrongAnswersAreFound(t *testing.T) {
	all, err := startAll(t.Context())
	defer child.Stop(all...)
	if err != nil {
		t.Fatal(err)
	}
	wrong := work{"read as a count", "/read", func(n int) int { return n }}
	for _, s := range all {
		v, err := newVisitor(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.check(t.Context(), wrong); err == nil || !strings.Contains(err.Error(), `got "42", want 1`) {
			t.Errorf("check of %s: got %v, want the wrong answer named", s.Contender, err)
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
	defer child.Stop(all...)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(all, func(s *child.Process) bool { return s.Contender == sample.Ours })
	v, err := newVisitor(t.Context(), all[at])
	if err != nil {
		t.Fatal(err)
	}
	if len(v.cookie) != len(foreign) {
		t.Errorf("ours has %d bytes, the foreign one %d", len(v.cookie), len(foreign))
	}
}
