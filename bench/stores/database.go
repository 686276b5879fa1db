package stores

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/bench/measure"
)

// Database measures sessions in PostgreSQL, on a throw-away server that waits for the disk. Contenders take small
// turns, since the time of a commit varies with the disk from moment to moment.
func Database(ctx context.Context, run *measure.Run) error {
	err := withCluster(func(url string) error {
		pool, err := pgxpool.New(ctx, url+"?pool_max_conns=20")
		if err != nil {
			return err
		}
		defer pool.Close()
		all, err := openAll(ctx, pool)
		if err == nil {
			b := &board{run, pool, all}
			err = errors.Join(b.measure(ctx), b.close())
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return nil
}

// goroutines are how many work at the same time.
var goroutines = []int{1, 16}

// measure goes through all of the work.
func (b *board) measure(ctx context.Context) error {
	few := min(10_000, b.Sessions/2)
	if err := b.fill(ctx, 0, few); err != nil {
		return err
	}
	for _, w := range works {
		if err := b.compare(ctx, w, few); err != nil {
			return err
		}
	}
	if err := b.hot(ctx); err != nil {
		return err
	}
	if err := b.fill(ctx, few, b.Sessions); err != nil {
		return err
	}
	among := works[0]
	among.name = fmt.Sprintf("load among %d sessions", b.Sessions)
	return b.compare(ctx, among, b.Sessions)
}
