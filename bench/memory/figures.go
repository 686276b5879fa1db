package memory

import (
	"slices"
	"time"

	"github.com/lazysession/session/bench/sample"
)

// figures gathers samples round by round.
type figures struct {
	sessions int
	samples  []sample.Sample
}

func (f *figures) add(work, contender, unit string, figure float64) {
	at := slices.IndexFunc(f.samples, func(s sample.Sample) bool { return s.Work == work && s.Contender == contender })
	if at < 0 {
		at = len(f.samples)
		f.samples = append(f.samples, sample.Sample{
			Part: "memory", Work: work, Contender: contender, Unit: unit, Parameter: f.sessions,
		})
	}
	s := &f.samples[at]
	s.Rounds = append(s.Rounds, figure)
}

func (f *figures) addWaits(contender, when string, sorted []time.Duration) {
	for _, w := range []struct {
		name   string
		beyond float64
	}{{"p50", 0.5}, {"p99", 0.01}, {"p99.99", 0.0001}, {"longest", 0}} {
		f.add(w.name+" wait "+when, contender, "µs", percentile(sorted, w.beyond))
	}
}
