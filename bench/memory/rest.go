package memory

import (
	"runtime"
	"slices"
	"time"
)

// atRest measures sessions that no request uses, and returns how long it took to make them.
func (p plan) atRest(c contender, f *figures) (time.Duration, error) {
	before := heap()
	s := c.open(time.Time{})
	start := time.Now()
	for n := range p.sessions {
		if err := s.put(n, start.Add(time.Hour)); err != nil {
			return 0, err
		}
	}
	took := time.Since(start)
	f.add("heap a session", c.name, "bytes", float64(heap()-before)/float64(p.sessions))
	f.add("GC with them alive", c.name, "ms", collection())
	return took, s.close()
}

// heap returns the bytes that are in use.
func heap() int {
	runtime.GC()
	runtime.GC() // pools give up what they hold only at the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// collection returns the milliseconds that one whole collection takes: the median of some.
func collection() float64 {
	var took [5]float64
	for i := range took {
		start := time.Now()
		runtime.GC()
		took[i] = float64(time.Since(start).Microseconds()) / 1000
	}
	slices.Sort(took[:])
	return took[len(took)/2]
}
