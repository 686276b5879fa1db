package stores

import (
	"slices"
	"time"
)

// pace is how often a session is asked for.
const pace = 10 * time.Microsecond

// waits reads at a steady pace until some time, and returns, sorted, how long after its own moment each read was done.
// A reader that asks again only after the last answer would wait once for a long sweep, where thousands of visitors
// each wait for themselves.
func (s shelf) waits(read func(i int) error, until time.Time) ([]time.Duration, error) {
	all := make([]time.Duration, 0, s.Window/pace+1)
	first := time.Now()
	for due := first; due.Before(until) && len(all) < cap(all); due = due.Add(pace) {
		for time.Until(due) > 0 { // a sleep would be longer than most waits
		}
		if err := read(len(all) * 7919 % (s.Sessions / 2)); err != nil {
			return nil, err
		}
		all = append(all, time.Since(due))
	}
	slices.Sort(all)
	return all, nil
}

// percentile returns the wait that only a share of sorted ones exceeds, in microseconds.
func percentile(sorted []time.Duration, beyond float64) float64 {
	i := len(sorted) - 1 - int(float64(len(sorted))*beyond)
	return float64(sorted[i].Nanoseconds()) / 1000
}
