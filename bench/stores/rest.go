package stores

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"
)

// atRest measures sessions that no request uses, and returns how long it took to make them.
func (s shelf) atRest() (time.Duration, error) {
	before := heap()
	stock := s.open(time.Time{})
	start := time.Now()
	for n := range s.Sessions {
		if err := stock.put(context.Background(), n, start.Add(time.Hour)); err != nil {
			return 0, errors.Join(err, stock.close())
		}
	}
	took := time.Since(start)
	s.add("heap a session", "bytes", float64(heap()-before)/float64(s.Sessions))
	s.add("GC with them alive", "ms", collection())
	return took, stock.close()
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
