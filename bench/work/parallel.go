package work

import (
	"context"
	"fmt"
	"runtime"

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
	return samples, err
}

// OneCore names the work that is done on one core.
const OneCore = "read, 1 core"

// AllCores names the work that is done on every core there is.
func AllCores() string { return fmt.Sprintf("read, %d cores", runtime.NumCPU()) }

// parallelRigs are two for each contender, which take turns as all others do.
func parallelRigs() ([]*rig, error) {
	var rigs []*rig
	for _, c := range peers {
		for _, cores := range []int{1, runtime.NumCPU()} {
			r, err := newRig(c, parallelWork(cores), cores)
			if err != nil {
				return rigs, err
			}
			r.cores = cores
			rigs = append(rigs, r)
		}
	}
	return rigs, nil
}

func parallelWork(cores int) work {
	w := work{name: AllCores(), task: readOne, values: 1}
	if cores == 1 {
		w.name = OneCore
	}
	return w
}
