package report

import (
	"testing"

	"github.com/lazysession/session/bench/measure"
)

// The median of the rounds' ratios is 1 here, although the medians are 300 and 200.
func TestRatioIsTheQuotientOfTheMediansBesideIt(t *testing.T) {
	ours := times("read", measure.Ours, 100, 200, 400)
	theirs := times("read", "scs", 100, 300, 400)
	const want = "| scs | 1.50 × | 300 ns |"
	if got := tableRow(set{ours, theirs}, nil, "scs", false); len(got) < len(want) || got[:len(want)] != want {
		t.Errorf("got %q, want it to begin with %q", got, want)
	}
	speed := target{work: "read", part: "request", unit: "ns", contender: "scs", against: measure.Ours, atLeast: 1.4}
	if v := speed.judge(set{ours, theirs}); v.measured != 1.5 {
		t.Errorf("a target is judged by %v, want the quotient 1.5", v.measured)
	}
}
