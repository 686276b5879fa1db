package mem

import "github.com/lazysession/session/store"

// removeLocked takes a node out of a locked shard. The caller has to pass the node to departed after it has released
// all locks.
func (s *Store) removeLocked(at *place, n *node, why store.Reason) {
	s.tally.release(n.usage())
	s.detach(at, n, why)
}

// detach is removeLocked for a node that the tally no longer counts, since another one has replaced it.
func (s *Store) detach(at *place, n *node, why store.Reason) {
	at.remove(n)
	// The ID stays taken until watchers know of the end. Otherwise they could learn of a new session of that ID first.
	defer s.ids.remove(n)
	s.Tell(store.Event{Kind: store.Ended, ID: n.ID, Owner: n.Owner, Reason: why})
}

// Conditions for endIf.
func anyOwner(*node) bool    { return true }
func onlyExpired(*node) bool { return false } // endIf removes an expired session in any case

// endIf removes the session of an ID if it is live and meets a condition, or if it has expired: then the reason is
// store.Expired. It returns the removed node, and whether it was live.
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

// lockID locks the place and returns its node. If the session was renewed or ended since it was found by its ID, lockID
// returns nil and holds no lock.
func (p *place) lockID(id store.ID) *node {
	p.lock()
	if n := p.find(); n != nil && n.ID == id {
		return n
	}
	p.unlock()
	return nil
}

func (s *Store) endLocked(
	at *place, n *node, cond func(*node) bool, why store.Reason, now store.Instant,
) (removed *node, live bool) {
	live = !n.Expired(now)
	switch {
	case !live:
		why = store.Expired
	case !cond(n):
		return nil, false
	}
	s.removeLocked(at, n, why)
	return n, live
}

// departed notes that the owners of removed nodes have lost them. It takes the outermost lock, so the caller must hold
// no other.
func (s *Store) departed(gone ...*node) {
	for _, n := range gone {
		if n != nil && n.Owner != "" {
			s.leave(n.Owner)
		}
	}
}
