package loopback

import (
	"context"
	"fmt"
	"os"

	"github.com/lazysession/session/bench/child"
)

// startAll starts all contenders at once: one that waits for its turn costs the others nothing. With an error it
// returns those that have started.
func startAll(ctx context.Context) ([]*child.Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var all []*child.Process
	for _, c := range contenders {
		s, err := child.Start(onCore(ctx, serverCore, self), c.name)
		if err != nil {
			return all, fmt.Errorf("starting the server of %s: %w", c.name, err)
		}
		all = append(all, s)
	}
	return all, nil
}
