package loopback

import (
	"slices"

	"github.com/lazysession/session/bench/sample"
)

// figures gathers samples round by round.
type figures struct{ samples []sample.Sample }

func (f *figures) add(work, contender, unit string, figure float64) {
	at := slices.IndexFunc(f.samples, func(s sample.Sample) bool { return s.Work == work && s.Contender == contender })
	if at < 0 {
		at = len(f.samples)
		f.samples = append(f.samples, sample.Sample{Part: "loopback", Work: work, Contender: contender, Unit: unit})
	}
	s := &f.samples[at]
	s.Rounds = append(s.Rounds, figure)
}
