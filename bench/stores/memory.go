// Package stores measures stores of sessions: in memory, and in PostgreSQL.
package stores

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lazysession/session/bench/measure"
)

// Memory measures the cost of sessions in memory that no request uses, and how long readers of other sessions wait
// while some expire. It fills the stores of this library and of its peer through their own APIs, one strictly after the
// other, so that neither's heap is charged to the other.
func Memory(ctx context.Context, run *measure.Run) error {
	run.Log("memory: %d sessions", run.Sessions)
	err := measure.Turns(ctx, run.Fills, keepers, func(k keeper) error {
		s := shelf{run, k}
		took, err := s.atRest()
		if err == nil {
			err = s.expiry(took)
		}
		if err != nil {
			err = fmt.Errorf("memory: %s: %w", k.name, err)
		}
		return err
	})
	explain(run.Samples)
	return err
}

// A shelf is one contender's turn.
type shelf struct {
	*measure.Run
	keeper
}

func (s shelf) add(work, unit string, figure float64) {
	s.Add(measure.Sample{Part: "memory", Work: work, Contender: s.name, Unit: unit, Parameter: s.Sessions}, figure)
}

func (s shelf) addWaits(when string, sorted []time.Duration) {
	for _, w := range []struct {
		name   string
		beyond float64
	}{{"p50", 0.5}, {"p99", 0.01}, {"p99.99", 0.0001}, {"longest", 0}} {
		s.add(w.name+" wait "+when, "µs", percentile(sorted, w.beyond))
	}
}

// explain says beside the longest waits how long the machine alone made the same readers wait: the kernel may well give
// a reader's core to another program for some milliseconds.
func explain(samples []measure.Sample) {
	longest := map[string]float64{}
	for i, s := range samples {
		switch s.Work {
		case "longest wait before expiry":
			longest[s.Contender] = slices.Max(s.Rounds)
		case "longest wait during expiry":
			samples[i].Note = fmt.Sprintf("before anything expired, up to %.0f µs", longest[s.Contender])
		}
	}
}
