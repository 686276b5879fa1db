package stores

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2/memstore"

	"github.com/lazysession/session/bench/measure"
	"github.com/lazysession/session/store/mem"
)

// A keeper keeps sessions of three small values in memory.
type keeper struct {
	name string
	open func(sweep time.Time) stock // expired sessions are swept from then on; zero: never
}

var keepers = []keeper{{measure.Ours, openMem}, {"scs", openMemstore}}

// A stock holds one keeper's sessions.
type stock interface {
	put(ctx context.Context, n int, ends time.Time) error
	reader(sessions []int) func(i int) error         // the function reads the i-th of sessions
	swept(sessions, heapBefore, heapAfter int) error // nil if half of the sessions are gone, not merely invisible
	close() error
}

// ourStock is store/mem.
type ourStock struct {
	ours
	mem      *mem.Store
	sweeping sync.WaitGroup
	failed   error // of the sweeps, to be read once they are done
}

func openMem(sweep time.Time) stock {
	m := mem.New(&mem.Options{MaxSessions: math.MaxInt})
	s := &ourStock{ours: ours{m, values[:2]}, mem: m}
	if !sweep.IsZero() {
		s.sweeping.Go(func() { s.failed = s.sweepFrom(sweep) })
	}
	return s
}

// sweepFrom does what a session.Manager does: it calls Sweep again for as long as more is waiting.
func (s *ourStock) sweepFrom(begin time.Time) error {
	time.Sleep(time.Until(begin))
	for {
		next, err := s.mem.Sweep(context.Background())
		if err != nil || next > 0 {
			return err
		}
	}
}

func (s *ourStock) swept(sessions, _, _ int) error {
	s.sweeping.Wait()
	if s.failed == nil && s.mem.Len() != sessions/2 {
		return fmt.Errorf("%d of %d sessions are left, want half", s.mem.Len(), sessions)
	}
	return s.failed
}

func (s *ourStock) close() error {
	s.sweeping.Wait()
	return errors.Join(s.failed, s.mem.Close())
}

// scsStock is the memstore of scs.
type scsStock struct {
	peer
	mem *memstore.MemStore
}

func openMemstore(sweep time.Time) stock {
	interval := time.Duration(0) // never
	if !sweep.IsZero() {
		interval = time.Until(sweep)
	}
	m := memstore.NewWithCleanupInterval(interval)
	return scsStock{peer{store: m, values: values[:2]}, m}
}

// swept judges by the heap: the store tells nobody how many sessions it holds.
func (s scsStock) swept(sessions, heapBefore, heapAfter int) error {
	const least = 100 // bytes that go with a session, less than its encoded values alone
	if freed := heapBefore - heapAfter; freed < sessions/2*least {
		return fmt.Errorf("the sweep freed %d bytes, too few for half of %d sessions", freed, sessions)
	}
	return nil
}

func (s scsStock) close() error {
	s.mem.StopCleanup()
	return nil
}
