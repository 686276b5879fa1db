package work

import (
	"context"

	"github.com/lazysession/session/bench/measure"
)

// Growth measures how the cost of reading one value grows with what is around it: the session's other values, other
// goroutines, and other sessions.
func Growth(ctx context.Context, run *measure.Run) error {
	m := match{Run: run, part: "growth"}
	for _, m.parameter = range []int{1, 10, 100, 1000} {
		m.Log("growth: read 1 of %d values", m.parameter)
		w := work{name: "read one of a session's values", task: readOne, values: m.parameter}
		if err := m.compete(ctx, w, peers, 1); err != nil {
			return err
		}
	}
	for _, m.parameter = range []int{1, 2, 4, 8, 16, 32, 64} {
		m.Log("growth: read by %d goroutines", m.parameter)
		w := work{name: "read by so many goroutines", task: readOne, values: 1}
		if err := m.compete(ctx, w, peers, m.parameter); err != nil {
			return err
		}
	}
	return growSessions(ctx, m)
}
