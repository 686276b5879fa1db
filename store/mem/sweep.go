package mem

import (
	"context"
	"math"
	"runtime"
	"time"

	"github.com/lazysession/session/store"
)

const (
	sweepShard = 16   // most sessions removed under one lock, so that no reader waits long
	sweepBatch = 1024 // sessions after which a Sweep stops, so that it returns soon
	// A session with an early deadline may be created at any time. Watchers should know of its end within about a second.
	minSweepPause = 100 * time.Millisecond
	maxSweepPause = time.Second
)

// Sweep removes a batch of expired sessions and says when to call it next. It locks only shards in which something is
// due.
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
		runtime.Gosched() // the unlock queued a waiting goroutine on this processor: let it run
		if removed += len(gone); removed >= sweepBatch {
			s.sweeps.Store(start + i + 1)
			break
		}
	}
	return s.shards.pause(now), nil
}

// sweepShard removes up to sweepShard expired sessions of one shard, and forgets as many of its retired tokens.
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
