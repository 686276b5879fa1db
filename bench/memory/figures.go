package memory

import (
	"fmt"
	"slices"
	"time"

	"github.com/lazysession/session/bench/sample"
)

// figures gathers what was measured of so many sessions.
type figures struct {
	sessions int
	samples  sample.Sheet
}

func (f *figures) add(work, contender, unit string, figure float64) {
	f.samples.Add(sample.Sample{
		Part: "memory", Work: work, Contender: contender, Unit: unit, Parameter: f.sessions,
	}, figure)
}

func (f *figures) addWaits(contender, when string, sorted []time.Duration) {
	for _, w := range []struct {
		name   string
		beyond float64
	}{{"p50", 0.5}, {"p99", 0.01}, {"p99.99", 0.0001}, {"longest", 0}} {
		f.add(w.name+" wait "+when, contender, "µs", percentile(sorted, w.beyond))
	}
}

// explain says beside the longest waits how long the machine alone made the same readers wait: the kernel may well give
// a reader's core to another program for some milliseconds.
func (f *figures) explain() {
	longest := map[string]float64{}
	for i, s := range f.samples {
		switch s.Work {
		case "longest wait before expiry":
			longest[s.Contender] = slices.Max(s.Rounds)
		case "longest wait during expiry":
			f.samples[i].Note = fmt.Sprintf("before anything expired, up to %.0f µs", longest[s.Contender])
		}
	}
}
