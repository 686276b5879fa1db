package work

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"github.com/lazysession/session/bench/sample"
)

// Parallel measures reading on one core and on all of them.
func Parallel(ctx context.Context, short bool, log func(format string, args ...any)) ([]sample.Sample, error) {
	return measureParallel(ctx, effortOf(short), log)
}

func measureParallel(ctx context.Context, e effort, log func(string, ...any)) ([]sample.Sample, error) {
	m := match{effort: e, part: "parallel"}
	rigs, err := parallelRigs()
	defer closeAll(rigs)
	if err != nil {
		return nil, err
	}
	log("parallel: reading on one core and on %d", runtime.NumCPU())
	samples, err := m.play(ctx, rigs)
	return append(samples, speedUps(samples)...), err
}

// OneCore names the work that is done on one core.
const OneCore = "read, 1 core"

// AllCores names the work that is done on every core there is.
func AllCores() string { return fmt.Sprintf("read, %d cores", runtime.NumCPU()) }

// SpeedUp names how many times as fast all cores are as one.
func SpeedUp() string { return fmt.Sprintf("speed-up on %d cores", runtime.NumCPU()) }

// speedUps divides the median on one core by the median on all, so that the page shows both figures of the quotient.
func speedUps(samples []sample.Sample) []sample.Sample {
	var found []sample.Sample
	for _, one := range samples {
		if one.Work != OneCore || one.Unit != "ns" {
			continue
		}
		at := slices.IndexFunc(samples, func(s sample.Sample) bool {
			return s.Work == AllCores() && s.Unit == one.Unit && s.Contender == one.Contender
		})
		s := sample.Sample{Part: one.Part, Work: SpeedUp(), Contender: one.Contender, Unit: "×", Note: one.Note}
		s.Rounds = []float64{one.Median() / samples[at].Median()}
		found = append(found, s)
	}
	return found
}

// parallelRigs are two for each contender, which take turns as all others do.
func parallelRigs() ([]*rig, error) {
	var rigs []*rig
	for _, c := range append(peers[:len(peers):len(peers)], limits...) {
		for _, cores := range []int{1, runtime.NumCPU()} {
			r, err := newRig(c, parallelWork(c, cores), cores)
			if err != nil {
				return rigs, err
			}
			r.cores = cores
			rigs = append(rigs, r)
		}
	}
	return rigs, nil
}

func parallelWork(c *contender, cores int) work {
	w := work{name: AllCores(), task: readOne, values: 1}
	if cores == 1 {
		w.name = OneCore
	}
	if c.whyNot(w) != "" { // it has no session
		w.task, w.values = touchNothing, 0
	}
	return w
}
