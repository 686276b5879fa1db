package mem

import (
	"math"
	"runtime"

	"github.com/lazysession/session/store"
)

// evictAndTry ends other sessions until the change fits the limits, and applies it. Only one change at a time does so,
// and only one that is refused for no other reason. So no more sessions end than have to.
func (c *commit) evictAndTry() (*store.Record, error) {
	c.s.eviction.Lock()
	defer c.s.eviction.Unlock()
	for {
		record, err := c.try()
		if err != errFull {
			return record, err
		}
		c.endOthers()
	}
}

// endOthers ends as many other sessions as the change needs gone by now, or fewer where reclaim comes too late. Another
// change may take what is freed, so apply has to check the limits again.
func (c *commit) endOthers() {
	for lack := c.s.tally.lack(c.more); lack.sessions > 0 || lack.bytes > 0; {
		gone := c.s.reclaim(c.now.Instant, c.spare)
		if len(gone) == 0 {
			runtime.Gosched()
			return
		}
		for _, n := range gone {
			lack.sub(n.usage())
		}
		c.gone = append(c.gone, gone...)
	}
}

// reclaim removes some of the expired sessions, or else evicts the one unused longest. It may come too late and remove
// none.
func (s *Store) reclaim(now store.Instant, spare *store.ID) []*node {
	var idlest *shard
	since := int64(math.MaxInt64)
	for i := range s.shards.all {
		sh := &s.shards.all[i]
		if sh.due(now) {
			return s.sweepShard(sh, now)
		}
		if idle := sh.front.idleSince.Load(); idle < since {
			idlest, since = sh, idle
		}
	}
	if idlest == nil {
		return nil
	}
	return s.evictIdlest(idlest, since, spare)
}

// evictIdlest removes the node of a shard that was unused longest, if it was not used meanwhile.
func (s *Store) evictIdlest(sh *shard, since int64, spare *store.ID) []*node {
	sh.lock()
	defer sh.unlock()
	n := sh.uses.oldest
	if sh.uses.idleSince() != since || spare != nil && n.ID == *spare {
		return nil
	}
	at := s.shards.place(n.Token)
	s.removeLocked(&at, n, store.Evicted)
	return []*node{n}
}
