package mem

import (
	"context"
	"math"
	"runtime"
	"time"

	"github.com/lazysession/session/store"
)

const (
	sweepShard = 16   // sessions that are removed under one lock, so that no reader waits long
	sweepBatch = 1024 // sessions that are removed by one Sweep, so that it returns soon
	// A session with an early deadline may come any time, and its end should be told within about a second.
	minSweepPause = 100 * time.Millisecond
	maxSweepPause = time.Second
)

// Sweep removes a batch of expired sessions and says when to call it next. It looks only at what is due.
func (s *Store) Sweep(ctx context.Context) (next time.Duration, err error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	now := s.clock.now()
	start := s.sweeps.Load()
	removed := 0
	for i := range uint32(shardCount) {
		sh := &s.shards.all[(start+i)%shardCount]
		if !sh.due(now) {
			continue
		}
		gone := s.sweepShard(sh, now)
		s.departed(gone...)
		runtime.Gosched() // who waited for the lock was put behind this goroutine, on its processor
		if removed += len(gone); removed >= sweepBatch {
			s.sweeps.Store(start + i + 1)
			break
		}
	}
	return s.shards.pause(now), nil
}

// sweepShard removes expired sessions and forgets retired tokens of one shard, not all of them if there are many.
func (s *Store) sweepShard(sh *shard, now store.Instant) (gone []*node) {
	sh.lock()
	defer sh.unlock()
	for len(gone) < sweepShard && sh.deadlines.earliest() <= now {
		n := sh.deadlines[0]
		at := s.shards.place(n.Token)
		s.removeLocked(&at, n, store.Expired)
		gone = append(gone, n)
	}
	sh.retired.forget(now, sweepShard)
	return gone
}

// due reports whether something in a shard has expired.
func (sh *shard) due(now store.Instant) bool { return sh.front.due.Load() <= int64(now) }

// pause returns how long to wait before the next sweep.
func (s *shards) pause(now store.Instant) time.Duration {
	due := int64(math.MaxInt64)
	for i := range s.fronts {
		due = min(due, s.fronts[i].due.Load())
	}
	if due <= int64(now) {
		return 0
	}
	if due-int64(now) > maxSweepPause.Microseconds() {
		return maxSweepPause
	}
	return max(minSweepPause, store.Instant(due).Sub(now))
}
