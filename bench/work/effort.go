package work

import "time"

// An effort is how long to measure.
type effort struct {
	rounds      int
	round       time.Duration // of one contender
	maxSessions int
	hits        int // that 8 clients count at once
}

var (
	full  = effort{rounds: 31, round: 10 * time.Millisecond, maxSessions: 1_000_000, hits: 2000}
	brief = effort{rounds: 5, round: 5 * time.Millisecond, maxSessions: 100_000, hits: 400}
)

func effortOf(short bool) effort {
	if short {
		return brief
	}
	return full
}
