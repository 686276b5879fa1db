package stores

import (
	"context"
	"fmt"
)

// hot lets many clients count in one session at once, and compares what it says afterwards with what they were told.
func (b *board) hot(ctx context.Context) error {
	const clients, session = 16, 0
	const work = "one session, counted in by all"
	b.Log("database: %s", work)
	return b.turns(ctx, func(c contender) error {
		before, err := hits(ctx, c, session)
		if err != nil {
			return err
		}
		took, err := b.timed(clients, func(int) error { return c.count(ctx, session) })
		if err != nil {
			return err
		}
		after, err := hits(ctx, c, session)
		if err != nil {
			return err
		}
		counted := clients * b.Each
		lost := counted - (after - before)
		if c.exact() && lost != 0 {
			return fmt.Errorf("%s: %d of %d counts are lost", work, lost, counted)
		}
		b.add(work, c, "µs", took, clients)
		b.add(work+": lost", c, "%", 100*float64(lost)/float64(counted), clients)
		return nil
	})
}
