package work

import (
	"context"

	"github.com/lazysession/session/bench/measure"
)

// Request measures each kind of work, one request after the other.
func Request(ctx context.Context, run *measure.Run) error {
	m := match{Run: run, part: "request"}
	for _, w := range requests {
		m.Log("request: %s", w.name)
		if err := m.compete(ctx, w, withFloors, 1); err != nil {
			return err
		}
	}
	return nil
}
