package database

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/lazysession/session/bench/sample"
)

// A board gathers what contenders took, round by round.
type board struct {
	plan
	log     func(format string, args ...any)
	samples sample.Sheet
}

// compare lets contenders take turns at one kind of work, with sessions spread over some.
func (b *board) compare(ctx context.Context, all []contender, w work, sessions int) error {
	b.log("database: %s", w.name)
	for n, c := range all { // each on a session of its own number, for two share their rows
		if err := w.check(ctx, c, n, func() error { return w.do(c, ctx, n) }); err != nil {
			return fmt.Errorf("%s: %s: %w", c.name(), w.name, err)
		}
	}
	for _, goroutines := range b.goroutines {
		next := 0
		err := b.turns(all, func(c contender) error {
			first := next
			next += goroutines * b.each
			took, err := b.timed(goroutines, func(i int) error { return w.do(c, ctx, spread(first+i, sessions)) })
			b.add(w.name, c.name(), "µs", took, goroutines)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s by %d goroutines: %w", w.name, goroutines, err)
		}
	}
	return nil
}

// spread returns the i-th session of a walk that leaves none out and jumps from page to page.
func spread(i, sessions int) int { return i * 7919 % sessions }

// turns gives each contender its turn in each round, there and back, so that nobody always follows the same one.
func (b *board) turns(all []contender, turn func(c contender) error) error {
	order := slices.Clone(all)
	for range b.rounds {
		for _, c := range order {
			if err := turn(c); err != nil {
				return fmt.Errorf("%s: %w", c.name(), err)
			}
		}
		slices.Reverse(order)
	}
	return nil
}

// timed returns the microseconds that one operation takes of the clock, with all goroutines at it.
func (b *board) timed(goroutines int, do func(i int) error) (float64, error) {
	failed := make(chan error, goroutines)
	var working sync.WaitGroup
	start := time.Now()
	for g := range goroutines {
		working.Go(func() {
			for i := range b.each {
				if err := do(g*b.each + i); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	working.Wait()
	took := time.Since(start)
	close(failed)
	return float64(took.Nanoseconds()) / 1000 / float64(goroutines*b.each), <-failed
}

func (b *board) add(work, contender, unit string, figure float64, goroutines int) {
	b.samples.Add(sample.Sample{
		Part: "database", Work: work, Contender: contender, Unit: unit, Parameter: goroutines,
	}, figure)
}
