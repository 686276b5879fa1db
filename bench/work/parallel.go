package work

import (
	"context"
	"fmt"
	"runtime"

	"github.com/lazysession/session/bench/measure"
)

// Parallel measures reading on one core and on all of them.
func Parallel(ctx context.Context, run *measure.Run) error {
	m := match{Run: run, part: "parallel"}
	m.Log("parallel: reading on one core and on %d", runtime.NumCPU())
	rigs, err := parallelRigs()
	defer closeAll(rigs)
	if err != nil {
		return err
	}
	if err := m.play(ctx, rigs); err != nil {
		return err
	}
	m.addSpeedUps()
	return nil
}

// oneCore names the work that is done on one core.
const oneCore = "read, 1 core"

// allCores names the work that is done on every core there is.
func allCores() string { return fmt.Sprintf("read, %d cores", runtime.NumCPU()) }

// speedUp names how many times as fast all cores are as one.
func speedUp() string { return fmt.Sprintf("speed-up on %d cores", runtime.NumCPU()) }

// addSpeedUps divides the median on one core by the median on all, so that the page shows both figures of the quotient.
func (m match) addSpeedUps() {
	for _, one := range m.Samples {
		if one.Work != oneCore || one.Unit != "ns" {
			continue
		}
		all := one
		all.Work = allCores()
		quotient := one
		quotient.Work, quotient.Unit, quotient.Rounds = speedUp(), "×", nil
		m.Add(quotient, one.Median()/m.Find(all).Median())
	}
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
	w := work{name: allCores(), task: readOne, values: 1}
	if cores == 1 {
		w.name = oneCore
	}
	return c.insteadOf(w)
}
