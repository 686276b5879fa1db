// Package live measures live sockets beside bare coder/websocket and a hub of gorilla/websocket.
package live

import (
	"context"
	"fmt"

	"github.com/lazysession/session/bench/child"
	"github.com/lazysession/session/bench/measure"
)

// A contender makes the handler of a site with sockets. "/echo" sends each message back to its sender, "/fan" sends it
// to all sockets of that path, "/idle" takes sockets that say nothing, and "/queue" is a "/fan" where a reader that
// stops must not hold up the others. "/fan/members" and "/queue/members" tell how many sockets would get a message.
type contender struct {
	name string
	site child.Site
}

var contenders = []contender{
	{measure.Ours, ourSite}, {"coder/websocket", coderSite}, {"gorilla hub", gorillaSite},
}

// Sites returns the sites that Run starts.
func Sites() map[string]child.Site {
	all := make(map[string]child.Site)
	for _, c := range contenders {
		all[c.siteName()] = c.site
	}
	return all
}

func (c contender) siteName() string { return "sockets of " + c.name }

// Run measures the server alone. Each contender has a new one for each work.
func Run(ctx context.Context, run *measure.Run) error {
	for _, w := range works {
		run.Log("live: %s", w.name)
		err := measure.Turns(ctx, run.Fills, contenders, func(c contender) error {
			server, err := child.Start(ctx, c.siteName())
			if err != nil {
				return err
			}
			defer server.Stop()
			if err := w.measure(turn{run, c.name, server}); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("live: %s: %w", w.name, err)
		}
	}
	return nil
}

// A turn is one contender's, at one work.
type turn struct {
	*measure.Run
	contender string
	server    *child.Process
}

func (t turn) add(work, unit string, figure float64) {
	t.Add(measure.Sample{Part: "live", Work: work, Contender: t.contender, Unit: unit}, figure)
}
