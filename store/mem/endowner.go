package mem

import (
	"context"
	"slices"

	"github.com/lazysession/session/store"
)

// EndOwner ends the sessions of an owner except those in except.
func (s *Store) EndOwner(ctx context.Context, owner string, except []store.ID, why store.Reason) (int, error) {
	if err := s.ready(ctx); err != nil || owner == "" {
		return 0, err
	}
	g := s.owners.lock(owner)
	defer g.unlock()
	now := s.clock.now()
	ended := 0
	for _, n := range s.prune(&g) {
		if !slices.Contains(except, n.ID) && s.endOwned(&g, n, why, now) {
			ended++
		}
	}
	s.prune(&g)
	return ended, nil
}

func (s *Store) endOwned(g *group, n *node, why store.Reason, now store.Instant) bool {
	_, live := s.endIf(n.ID, func(n *node) bool { return n.Owner == g.owner }, why, now)
	return live
}
