// Package memory measures the cost of sessions in memory that no request uses, and how long readers of other sessions
// wait while some expire.
package memory

import (
	"context"
	"fmt"
	"time"

	"github.com/lazysession/session/bench/sample"
)

// Run fills the stores of this library and of its peer through their own APIs, one strictly after the other, so that
// neither's heap is charged to the other.
func Run(ctx context.Context, short bool, log func(format string, args ...any)) ([]sample.Sample, error) {
	p := plan{sessions: 1_000_000, rounds: 3, window: time.Second}
	if short {
		p = plan{sessions: 100_000, rounds: 2, window: time.Second / 2}
	}
	return p.run(ctx, log)
}

// A plan says how much is measured.
type plan struct {
	sessions int
	rounds   int
	window   time.Duration // for which reads are measured, before half of the sessions are swept and while they are
}

func (p plan) run(ctx context.Context, log func(format string, args ...any)) ([]sample.Sample, error) {
	f := &figures{sessions: p.sessions}
	for round := range p.rounds {
		log("memory: %d sessions, round %d of %d", p.sessions, round+1, p.rounds)
		for _, c := range contenders {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := p.measure(c, f); err != nil {
				return nil, fmt.Errorf("memory: %s: %w", c.name, err)
			}
		}
	}
	f.explain()
	return f.samples, nil
}

func (p plan) measure(c contender, f *figures) error {
	took, err := p.atRest(c, f)
	if err != nil {
		return err
	}
	return p.expiry(c, f, took)
}
