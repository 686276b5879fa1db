package stores

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/bench/measure"
)

// A board is what contenders do their work on.
type board struct {
	*measure.Run
	pool *pgxpool.Pool
	all  []contender
}

func (b *board) close() error {
	var errs []error
	for _, c := range b.all {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}

// fill makes the sessions of all contenders, and leaves the server nothing to tidy up meanwhile.
func (b *board) fill(ctx context.Context, from, to int) error {
	b.Log("database: making %d sessions of each contender", to-from)
	const most = 50_000
	for ; from < to; from += most {
		for _, c := range b.all {
			if err := c.fill(ctx, from, min(from+most, to)); err != nil {
				return fmt.Errorf("%s: making sessions: %w", c.name(), err)
			}
		}
	}
	for _, statement := range []string{"VACUUM ANALYZE", "CHECKPOINT"} {
		if _, err := b.pool.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// compare lets contenders take turns at one kind of work, with sessions spread over some.
func (b *board) compare(ctx context.Context, w work, sessions int) error {
	b.Log("database: %s", w.name)
	for n, c := range b.all { // each on a session of its own number, for two share their rows
		if err := w.check(ctx, c, n, func() error { return w.do(c, ctx, n) }); err != nil {
			return fmt.Errorf("%s: %s: %w", c.name(), w.name, err)
		}
	}
	for _, workers := range goroutines {
		next := 0
		err := b.turns(ctx, func(c contender) error {
			first := next
			next += workers * b.Each
			took, err := b.timed(workers, func(i int) error { return w.do(c, ctx, spread(first+i, sessions)) })
			b.add(w.name, c, "µs", took, workers)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s by %d goroutines: %w", w.name, workers, err)
		}
	}
	return nil
}

// spread returns the i-th session of a walk that leaves none out and jumps from page to page.
func spread(i, sessions int) int { return i * 7919 % sessions }

// turns gives each contender its turn in each round.
func (b *board) turns(ctx context.Context, turn func(c contender) error) error {
	return measure.Turns(ctx, b.Turns, b.all, func(c contender) error {
		if err := turn(c); err != nil {
			return fmt.Errorf("%s: %w", c.name(), err)
		}
		return nil
	})
}

// timed returns the microseconds that one operation takes of the clock, with all workers at it.
func (b *board) timed(workers int, do func(i int) error) (float64, error) {
	failed := make(chan error, workers)
	var working sync.WaitGroup
	start := time.Now()
	for g := range workers {
		working.Go(func() {
			for i := range b.Each {
				if err := do(g*b.Each + i); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	working.Wait()
	took := time.Since(start)
	close(failed)
	return float64(took.Nanoseconds()) / 1000 / float64(workers*b.Each), <-failed
}

func (b *board) add(work string, c contender, unit string, figure float64, workers int) {
	b.Add(measure.Sample{
		Part: "database", Work: work, Contender: c.name(), Unit: unit, Parameter: workers,
	}, figure)
}
