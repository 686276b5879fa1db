// Package loopback measures whole requests end to end: a server on one core, and a load generator on another that sends
// over a fixed number of connections.
//
// The server is this program itself, started anew. So whatever runs it calls [Main] before anything else:
//
//	func main() {
//		loopback.Main()
//		…
//	}
package loopback

import (
	"context"
	"fmt"
	"slices"

	"github.com/lazysession/session/bench/child"
	"github.com/lazysession/session/bench/sample"
)

// Run lets contenders take turns at each kind of work, each of them right before the others' turns.
func Run(ctx context.Context, short bool, log func(format string, args ...any)) ([]sample.Sample, error) {
	p := plan{works: works, rounds: 24, seconds: 1, connections: 16}
	if short {
		p.rounds = 2
	}
	return p.run(ctx, log)
}

// A plan says how much is measured.
type plan struct {
	works       []work
	rounds      int
	seconds     int // of each turn
	connections int
}

func (p plan) run(ctx context.Context, log func(format string, args ...any)) ([]sample.Sample, error) {
	gen, err := newGenerator(p)
	if err != nil {
		return nil, fmt.Errorf("loopback: %w", err)
	}
	running, err := startAll(ctx)
	defer child.Stop(running...)
	if err != nil {
		return nil, fmt.Errorf("loopback: %w", err)
	}
	var sheet sample.Sheet
	for round := range p.rounds {
		log("loopback: %d connections, round %d of %d", p.connections, round+1, p.rounds)
		for _, w := range p.works {
			for _, s := range running {
				if err := measure(ctx, gen, s, w, &sheet); err != nil {
					return nil, fmt.Errorf("loopback: %s: %s: %w", s.Contender, w.name, err)
				}
			}
		}
		slices.Reverse(running) // there and back, so that nobody always follows the same one
	}
	return sheet, nil
}

// measure times one turn, after it has made sure that the answers are right.
func measure(ctx context.Context, gen *generator, s *child.Process, w work, sheet *sample.Sheet) error {
	v, err := newVisitor(ctx, s)
	if err != nil {
		return err
	}
	if err := v.check(ctx, w); err != nil {
		return err
	}
	load, err := gen.fire(ctx, "http://"+s.Address+w.path, v.cookie)
	if err != nil {
		return err
	}
	of := sample.Sample{Part: "loopback", Work: w.name, Contender: s.Contender, Unit: "requests/s"}
	sheet.Add(of, load.perSecond)
	of.Work, of.Unit = w.name+": p99", "µs"
	sheet.Add(of, load.p99)
	return nil
}
