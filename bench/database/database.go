// Package database measures sessions in PostgreSQL, on a throw-away server that waits for the disk.
package database

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/bench/sample"
)

// Run lets contenders take small turns on one server, since the time of a commit varies with the disk from moment to
// moment.
func Run(ctx context.Context, short bool, log func(format string, args ...any)) ([]sample.Sample, error) {
	p := plan{sessions: 10_000, many: 1_000_000, rounds: 24, goroutines: []int{1, 16}, each: 100}
	if short {
		p.many, p.rounds = 100_000, 3
	}
	return p.run(ctx, log)
}

// A plan says how much is measured.
type plan struct {
	sessions   int // that most work is done with
	many       int // that the last loads are among
	rounds     int
	goroutines []int
	each       int // operations of each goroutine in one turn
}

func (p plan) run(ctx context.Context, log func(format string, args ...any)) ([]sample.Sample, error) {
	b := &board{plan: p, log: log}
	err := withCluster(func(url string) error {
		pool, err := pgxpool.New(ctx, url+"?pool_max_conns=20")
		if err != nil {
			return err
		}
		defer pool.Close()
		return b.measure(ctx, pool)
	})
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	return b.samples, nil
}

// measure goes through all of the work.
func (b *board) measure(ctx context.Context, pool *pgxpool.Pool) error {
	all, err := openAll(ctx, pool)
	if err != nil {
		return err
	}
	defer closeAll(all)
	if err := b.fill(ctx, pool, all, 0, b.sessions); err != nil {
		return err
	}
	for _, w := range works {
		if err := b.compare(ctx, all, w, b.sessions); err != nil {
			return err
		}
	}
	if err := b.hot(ctx, all); err != nil {
		return err
	}
	if err := b.fill(ctx, pool, all, b.sessions, b.many); err != nil {
		return err
	}
	among := works[0]
	among.name = fmt.Sprintf("load among %d sessions", b.many)
	return b.compare(ctx, all, among, b.many)
}
