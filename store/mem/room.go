package mem

import (
	"math"
	"sync"

	"github.com/lazysession/session/store"
)

// room keeps those who make room from making too much of it together.
type room struct{ mu sync.Mutex }

// makeRoom removes sessions until there are no more than the limit.
func (s *Store) makeRoom(now store.Instant) {
	if s.limit == 0 || s.count.Load() <= s.limit {
		return
	}
	s.departed(s.makeRoomOnce(now)...)
}

func (s *Store) makeRoomOnce(now store.Instant) (gone []*node) {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	for s.count.Load() > s.limit {
		gone = append(gone, s.giveUp(now)...)
	}
	return gone
}

// giveUp removes some of what has expired, or else what was unused longest. It may come too late and remove nothing.
func (s *Store) giveUp(now store.Instant) []*node {
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
	return s.evict(idlest, since)
}

// evict removes the node of a shard that was unused longest, if nobody has used it meanwhile.
func (s *Store) evict(sh *shard, since int64) []*node {
	sh.lock()
	defer sh.unlock()
	if sh.uses.idleSince() != since {
		return nil
	}
	n := sh.uses.oldest
	at := s.shards.place(n.Token)
	s.removeLocked(&at, n, store.Evicted)
	return []*node{n}
}
