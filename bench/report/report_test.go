package report

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lazysession/session/bench/measure"
)

// times returns a sample of the part "request".
func times(work, contender string, rounds ...float64) measure.Sample {
	return measure.Sample{Part: "request", Work: work, Contender: contender, Unit: "ns", Rounds: rounds}
}

func with(s measure.Sample, unit string, rounds ...float64) measure.Sample {
	s.Unit, s.Rounds = unit, rounds
	return s
}

var read = []measure.Sample{
	times("read", "scs", 900, 1100, 5000),
	with(times("read", "scs"), "allocations", 199, 199, 199),
	with(times("read", "scs"), "bytes", 9144, 9144, 9144),
	times("read", measure.Ours, 100, 100, 250),
	with(times("read", measure.Ours), "allocations", 2, 2, 2),
	with(times("read", measure.Ours), "bytes", 768.4, 768, 768),
	{Part: "request", Work: "read", Contender: "bare handler", Unit: "ns", Note: "has no session"},
}

func TestTableHasRatiosFirstAndOursOnTop(t *testing.T) {
	const want = `|  | ratio | median | min – max | allocations | bytes |  |
| --- | ---: | ---: | ---: | ---: | ---: | --- |
| session | 1.00 × | 100 ns | 100 ns – 250 ns | 2 | 768 |  |
| scs | 11.0 × | 1.10 µs | 900 ns – 5.00 µs | 199 | 9,144 |  |
| bare handler | – | – | – | – | – | has no session |

`
	if got := tables(read); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestMoreRequestsASecondCostLess(t *testing.T) {
	ours := measure.Sample{Unit: "requests/s", Rounds: []float64{2000}}
	theirs := measure.Sample{Unit: "requests/s", Rounds: []float64{500}}
	if got := cost(&theirs, &ours); got != 4 {
		t.Errorf("a quarter of our requests a second: got a cost of %v times ours, want 4", got)
	}
}

func TestFiguresAreReadable(t *testing.T) {
	for _, test := range []struct {
		figure float64
		unit   string
		want   string
	}{
		{9.994, "ns", "9.99 ns"},
		{9.996, "ns", "10.0 ns"},
		{999, "ns", "999 ns"},
		{1500, "ns", "1.50 µs"},
		{2500, "µs", "2.50 ms"},
		{12345, "requests/s", "12,345 requests/s"},
		{1234567, "bytes", "1,234,567"},
		{1.02, "allocations", "1"},
		{1.5, "allocations", "1.5"},
		{100, "%", "100 %"},
	} {
		if got := formatFigure(test.figure, test.unit); got != test.want {
			t.Errorf("%v in %s: got %q, want %q", test.figure, test.unit, got, test.want)
		}
	}
}

func TestTargetsAreJudged(t *testing.T) {
	speed := target{part: "request", work: "read", unit: "ns", contender: "scs", against: measure.Ours,
		atLeast: 10, stretch: 20}
	allocs := target{part: "request", work: "read", unit: "allocations", contender: measure.Ours, atMost: 1}
	few := target{part: "request", work: "read", unit: "allocations", contender: measure.Ours, atMost: 2}
	elsewhere := target{part: "request", work: "write", unit: "ns", contender: measure.Ours, atMost: 1}
	for _, test := range []struct {
		target           target
		wanted, measured string
		verdict          string
	}{
		{speed, "≥ 10.0 ×; better 20.0 ×", "11.0 ×", "met"},
		{allocs, "≤ 1", "2", "**not met**"},
		{few, "≤ 2", "2", "met"},
		{elsewhere, "≤ 1.00 ns", "–", "not measured"},
	} {
		v := test.target.judge(read)
		wanted, measured := test.target.wanted(), test.target.format(v.measured)
		if wanted != test.wanted || measured != test.measured || v.String() != test.verdict {
			t.Errorf("got %q, %q, %q, want %q, %q, %q", wanted, measured, v, test.wanted, test.measured, test.verdict)
		}
	}
}

func TestObstaclesAreSaidOfWhatIsNotMet(t *testing.T) {
	of := func(text, work, unit string, most float64, obstacle string) target {
		return target{
			text: text, part: "request", work: work, unit: unit, contender: measure.Ours, atMost: most, obstacle: obstacle,
		}
	}
	met := of("time", "read", "ns", 100, "none")
	missed := of("allocations", "read", "allocations", 1, "a copy.")
	absent := of("time", "write", "ns", 1, "no time")
	got := obstacles(read, []target{met, missed, absent})
	want := "\nWhat stands in the way of those that were not met:\n\n- allocations (2): a copy.\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := obstacles(read, []target{met}); got != "" {
		t.Errorf("nothing was missed: got %q", got)
	}
}

func TestBetterTargetIsSaid(t *testing.T) {
	speed := target{part: "request", work: "read", unit: "ns", contender: "scs", against: measure.Ours,
		atLeast: 2, stretch: 5}
	if got, want := speed.judge(read).String(), "met, and the better one"; got != want {
		t.Errorf("11 times as fast, 2 wanted and 5 better: got %q, want %q", got, want)
	}
}

func growth() []measure.Sample {
	var all []measure.Sample
	for _, n := range []int{1, 10} {
		for _, contender := range []string{measure.Ours, "scs"} {
			one := times(ofValues, contender, 100*float64(n), 200*float64(n))
			one.Part, one.Parameter = "growth", n
			all = append(all, one)
		}
	}
	return all
}

func TestReportIsWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "benchmarks")
	r := Report{
		Samples: append(growth(), read...),
		Machine: Machine{CPU: "a CPU", OS: "an OS", Go: "go1.26", Cores: 2, Modules: []string{"scs v2"}},
		Date:    time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
		Took:    90 * time.Second,
		Command: "go run . -short",
	}
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"README.md":         "Written by `go run . -short` on 2 January 2026, in 1m30s.",
		"request.md":        "![One request, in one process](requests.svg)",
		"growth.md":         "| session | 150 ns | 1.50 µs |",
		"requests.svg":      "1.10 µs · 11.0 ×",
		"growth-values.svg": "values in the session",
	} {
		got, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Error(err)
		} else if !strings.Contains(string(got), want) {
			t.Errorf("%s lacks %q:\n%s", file, want, got)
		}
	}
}

func TestPlotsAreXML(t *testing.T) {
	for _, p := range pictures {
		picture, err := p.draw(append(growth(), read...))
		if err != nil {
			t.Fatal(err)
		}
		d := xml.NewDecoder(strings.NewReader(picture))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", p.file, err)
			}
		}
	}
}
