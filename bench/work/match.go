package work

import (
	"context"
	"runtime"
	"time"

	"github.com/lazysession/session/bench/sample"
)

// A match has contenders do the same work in turns.
type match struct {
	effort
	part      string
	parameter int
}

// play measures the contenders one round after the other, another one first in each round, so that whatever slows the
// machine down for a while slows down all of them.
func (m match) play(ctx context.Context, rigs []*rig) ([]sample.Sample, error) {
	scores := make([]score, len(rigs))
	for i, r := range rigs {
		if err := scores[i].calibrate(r, m.round); err != nil {
			return nil, err
		}
	}
	for round := range m.rounds {
		for turn := range rigs {
			i := (round + turn) % len(rigs)
			if err := scores[i].measure(ctx, rigs[i]); err != nil {
				return nil, err
			}
		}
	}
	return m.samples(rigs, scores), checkAll(rigs)
}

func checkAll(rigs []*rig) error {
	for _, r := range rigs {
		if err := r.check(); err != nil {
			return r.explain(err)
		}
	}
	return nil
}

func (m match) samples(rigs []*rig, scores []score) []sample.Sample {
	var samples []sample.Sample
	for i, r := range rigs {
		s := sample.Sample{Part: m.part, Work: r.work.name, Contender: r.name, Note: r.note, Parameter: m.parameter}
		samples = append(samples, scores[i].samples(s)...)
	}
	return samples
}

// A score is what one contender took in each round, for one request.
type score struct {
	n                    int // requests a round
	nanos, allocs, bytes []float64
}

// calibrate finds out how many requests fill a round, and warms up.
func (s *score) calibrate(r *rig, round time.Duration) error {
	for s.n = 4 * len(r.clients); ; s.n *= 2 {
		start := time.Now()
		if err := r.send(s.n); err != nil {
			return r.explain(err)
		}
		if took := time.Since(start); took > round/4 {
			s.n = max(len(r.clients), int(float64(s.n)*float64(round)/float64(took)))
			return nil
		}
	}
}

// measure does one round. It begins without the garbage of the contender before.
func (s *score) measure(ctx context.Context, r *rig) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer onCores(r.cores)()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start, sent := time.Now(), r.sent
	err := r.send(s.n)
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	n := float64(r.sent - sent)
	s.nanos = append(s.nanos, float64(took)/n)
	s.allocs = append(s.allocs, float64(after.Mallocs-before.Mallocs)/n)
	s.bytes = append(s.bytes, float64(after.TotalAlloc-before.TotalAlloc)/n)
	return r.explain(err)
}

// onCores lets Go use n of the machine's cores until the function it returns is called; 0 means all.
func onCores(n int) func() {
	if n == 0 {
		return func() {}
	}
	all := runtime.GOMAXPROCS(n)
	return func() { runtime.GOMAXPROCS(all) }
}

// samples are three, with all else as in s.
func (s *score) samples(like sample.Sample) []sample.Sample {
	of := func(unit string, rounds []float64) sample.Sample {
		one := like
		one.Unit, one.Rounds = unit, rounds
		return one
	}
	return []sample.Sample{of("ns", s.nanos), of("allocations", s.allocs), of("bytes", s.bytes)}
}
