package mem

import "github.com/lazysession/session/store"

// removeLocked takes a node out of a locked shard. Whoever calls it has to pass the node to departed when it holds no
// lock any more.
func (s *Store) removeLocked(at *place, n *node, why store.Reason) {
	at.remove(n)
	s.ids.remove(n)
	s.count.Add(-1)
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
		at.lock()
		n = at.find()
		if n != nil && n.ID == id {
			n, live = s.endLocked(&at, n, cond, why, now)
			at.unlock()
			return n, live
		}
		at.unlock() // it was renewed, or ended, between the two locks: look again
	}
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
