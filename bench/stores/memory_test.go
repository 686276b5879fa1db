package stores

import (
	"slices"
	"testing"
	"time"

	"github.com/lazysession/session/bench/measure"
)

func TestFiguresOfMemory(t *testing.T) {
	tiny := measure.Effort{Sessions: 2000, Fills: 1, Window: 20 * time.Millisecond}
	run := &measure.Run{Effort: tiny, Log: t.Logf}
	if err := Memory(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	var works []string
	for _, s := range run.Samples {
		if len(s.Rounds) != tiny.Fills || slices.Min(s.Rounds) <= 0 {
			t.Errorf("%s of %s: got %v %s, want %d figures above 0", s.Work, s.Contender, s.Rounds, s.Unit, tiny.Fills)
		}
		if s.Work == "longest wait during expiry" && s.Note == "" {
			t.Errorf("%s of %s: no note of what the machine did", s.Work, s.Contender)
		}
		if s.Contender == measure.Ours {
			works = append(works, s.Work)
		}
	}
	want := []string{
		"heap a session", "GC with them alive",
		"p50 wait before expiry", "p99 wait before expiry", "p99.99 wait before expiry", "longest wait before expiry",
		"p50 wait during expiry", "p99 wait during expiry", "p99.99 wait during expiry", "longest wait during expiry",
	}
	if !slices.Equal(works, want) || len(run.Samples) != len(keepers)*len(want) {
		t.Errorf("work of session: got %q, want %q, and as much of each contender", works, want)
	}
}

func TestPercentileCountsFromTheLongest(t *testing.T) {
	sorted := make([]time.Duration, 10_000)
	for i := range sorted {
		sorted[i] = time.Duration(i+1) * time.Microsecond
	}
	for _, tt := range []struct{ beyond, want float64 }{{0, 10_000}, {0.0001, 9999}, {0.01, 9900}, {0.5, 5000}} {
		if got := percentile(sorted, tt.beyond); got != tt.want {
			t.Errorf("percentile beyond %v: got %v, want %v", tt.beyond, got, tt.want)
		}
	}
}
