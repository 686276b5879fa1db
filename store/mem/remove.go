package mem

import "github.com/lazysession/session/store"

// removeLocked takes a node out of a locked shard. Whoever calls it has to pass the node to departed when it holds no
// lock any more.
func (s *Store) removeLocked(at *place, n *node, why store.Reason) {
	s.tally.release(n.usage())
	s.detach(at, n, why)
}

// detach is removeLocked for a node whose room another one has taken.
func (s *Store) detach(at *place, n *node, why store.Reason) {
	at.remove(n)
	// The ID stays taken until the end is told, or another session of that ID could be told of before.
	defer s.ids.remove(n)
	s.Tell(store.Event{Kind: store.Ended, ID: n.ID, Owner: n.Owner, Reason: why})
}

func anyOwner(*node) bool { return true }

// endIf removes the session of an ID if it meets a condition, and returns the node it removed, and whether that was a
// live one: what has expired goes too, as such.
func (s *Store) endIf(id store.ID, cond func(*node) bool, why store.Reason, now store.Instant) (n *node, live bool) {
	for {
		seen := s.ids.find(id)
		if seen == nil {
			return nil, false
		}
		at := s.shards.place(seen.Token)
		if n := at.lockID(id); n != nil {
			defer at.unlock()
			return s.endLocked(&at, n, cond, why, now)
		}
	}
}

// lockID locks the place and returns its node. It returns nil, with nothing locked, if the session was renewed or ended
// between being found by its ID and this.
func (p *place) lockID(id store.ID) *node {
	p.lock()
	if n := p.find(); n != nil && n.ID == id {
		return n
	}
	p.unlock()
	return nil
}

func (s *Store) endLocked(at *place, n *node, cond func(*node) bool, why store.Reason, now store.Instant) (*node, bool) {
	live := !n.Expired(now)
	switch {
	case !live:
		why = store.Expired
	case !cond(n):
		return nil, false
	}
	s.removeLocked(at, n, why)
	return n, live
}

// departed lets the owners of removed nodes know. It takes the outermost lock, so no other may be held.
func (s *Store) departed(gone ...*node) {
	for _, n := range gone {
		if n != nil && n.Owner != "" {
			s.leave(n.Owner)
		}
	}
}
