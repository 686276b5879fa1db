package mem

import (
	"math"
	"runtime"

	"github.com/lazysession/session/store"
)

// makeRoom ends other sessions until there is room for the change, and applies it. Only one change at a time makes room,
// and only one that nothing else refuses, so that no more are ended than have to be.
func (c *commit) makeRoom() (*store.Record, error) {
	c.room.Lock()
	defer c.room.Unlock()
	for {
		record, err := c.try()
		if err != errRoom {
			return record, err
		}
		c.endOthers()
	}
}

// endOthers ends as many others as lack in room now, or less if it comes too late for one. Another change may take the
// room meanwhile: apply has to look again.
func (c *commit) endOthers() {
	for lack := c.tally.lack(c.more); lack.sessions > 0 || lack.bytes > 0; {
		gone := c.giveUp(c.now.Instant, c.spare)
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

// giveUp removes some of what has expired, or else what was unused longest. It may come too late and remove nothing.
func (s *Store) giveUp(now store.Instant, spare *store.ID) []*node {
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
	return s.evict(idlest, since, spare)
}

// evict removes the node of a shard that was unused longest, if nobody has used it meanwhile.
func (s *Store) evict(sh *shard, since int64, spare *store.ID) []*node {
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
