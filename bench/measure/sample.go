// Package measure has what all parts of the benchmarks share: how much is measured, the turns that contenders take, and
// the samples that the report is made of.
package measure

import (
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

// A Sample is what one contender took for one kind of work: a figure for each round. The contenders of one kind of work
// took turns within each round, so that figures of the same round can be compared.
type Sample struct {
	Part      string    // of the report: "request", "growth", "memory", "loopback", "database"
	Work      string    // "count one hit"
	Contender string    // "session", "scs (JSON)"
	Unit      string    // "ns", "bytes", "requests/s", "allocations", …
	Rounds    []float64 // empty where the contender can't do the work
	Note      string    // why it can't, or what is to be known of the figure
	Parameter int       // what the cost grows with (values, sessions, goroutines); 0 where nothing does
}

// Ours is the contender that others are compared with.
const Ours = "session"

// Median returns the median of the rounds; NaN where there are none.
func (s Sample) Median() float64 {
	if len(s.Rounds) == 0 {
		return math.NaN()
	}
	rounds := benchmath.NewSample(slices.Clone(s.Rounds), &benchmath.DefaultThresholds)
	return benchmath.AssumeNothing.Summary(rounds, 0.95).Center
}
