// Package sample has the one thing that every part of the benchmarks hands to the report.
package sample

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

// A Sheet gathers samples round by round.
type Sheet []Sample

// Add adds the figure of a round to the sample of the same part, work, contender, unit and parameter, which like names.
func (s *Sheet) Add(like Sample, figure float64) {
	at := slices.IndexFunc(*s, func(one Sample) bool {
		return one.Part == like.Part && one.Work == like.Work && one.Contender == like.Contender &&
			one.Unit == like.Unit && one.Parameter == like.Parameter
	})
	if at < 0 {
		at = len(*s)
		*s = append(*s, like)
	}
	one := &(*s)[at]
	one.Rounds = append(one.Rounds, figure)
}
