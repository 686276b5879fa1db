package work

import (
	"context"
	"runtime"
	"time"

	"github.com/lazysession/session/bench/measure"
)

// A match has contenders do the same work in turns.
type match struct {
	*measure.Run
	part      string
	parameter int
}

func (m match) sample(c *contender, w work, unit, note string) measure.Sample {
	return measure.Sample{
		Part: m.part, Work: w.name, Contender: c.name, Unit: unit, Note: note, Parameter: m.parameter,
	}
}

// play measures rigs, and checks afterwards what they did.
func (m match) play(ctx context.Context, rigs []*rig) error {
	for _, r := range rigs {
		if err := r.calibrate(m.Round); err != nil {
			return r.explain(err)
		}
	}
	err := measure.Turns(ctx, m.Rounds, rigs, func(r *rig) error { return r.explain(m.time(r)) })
	if err != nil {
		return err
	}
	for _, r := range rigs {
		if err := r.check(); err != nil {
			return r.explain(err)
		}
	}
	return nil
}

// calibrate finds out how many requests fill a round, and warms up.
func (r *rig) calibrate(round time.Duration) error {
	for r.turn = 4 * len(r.clients); ; r.turn *= 2 {
		start := time.Now()
		if err := r.send(r.turn); err != nil {
			return err
		}
		if took := time.Since(start); took > round/4 {
			r.turn = max(len(r.clients), int(float64(r.turn)*float64(round)/float64(took)))
			return nil
		}
	}
}

// time measures one turn. It begins without the garbage of the contender before.
func (m match) time(r *rig) error {
	defer onCores(r.cores)()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start, sent := time.Now(), r.sent
	err := r.send(r.turn)
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	n := float64(r.sent - sent)
	m.Add(m.sample(r.contender, r.work, "ns", r.note), float64(took)/n)
	m.Add(m.sample(r.contender, r.work, "allocations", r.note), float64(after.Mallocs-before.Mallocs)/n)
	m.Add(m.sample(r.contender, r.work, "bytes", r.note), float64(after.TotalAlloc-before.TotalAlloc)/n)
	return err
}

// onCores lets Go use n of the machine's cores until the function it returns is called; 0 means all.
func onCores(n int) func() {
	if n == 0 {
		return func() {}
	}
	all := runtime.GOMAXPROCS(n)
	return func() { runtime.GOMAXPROCS(all) }
}
