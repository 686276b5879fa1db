package mem

import (
	"context"
	"iter"

	"github.com/lazysession/session/store"
)

// List yields live records. It walks by ID, since tokens move between shards when they are renewed; no lock is held
// while a record is yielded.
func (s *Store) List(ctx context.Context, filter store.Filter) iter.Seq2[*store.Record, error] {
	return func(yield func(*store.Record, error) bool) {
		if err := s.ready(ctx); err != nil {
			yield(nil, err)
			return
		}
		if !filter.All {
			s.yield(ctx, s.ownedBy(filter.Owner), filter, yield)
			return
		}
		var nodes []*node
		for i := range s.ids.all {
			nodes = s.ids.all[i].append(nodes[:0])
			if err := s.ready(ctx); err != nil { // a store that was closed has no nodes, and is not just empty
				yield(nil, err)
				return
			}
			if !s.yield(ctx, nodes, filter, yield) {
				return
			}
		}
	}
}

// ownedBy returns the sessions that an owner has, expired ones among them. The empty owner has none.
func (s *Store) ownedBy(owner string) []*node {
	if owner == "" {
		return nil
	}
	g := s.owners.lock(owner)
	defer g.unlock()
	return s.prune(&g)
}

// append copies the pointers to all nodes. It is quick, since it reads no node.
func (sh *idShard) append(to []*node) []*node {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, n := range sh.index.nodes {
		if n != nil {
			to = append(to, n)
		}
	}
	return to
}

// yield yields the present records of the nodes' sessions, and reports whether to go on.
func (s *Store) yield(ctx context.Context, nodes []*node, f store.Filter, yield func(*store.Record, error) bool) bool {
	for _, seen := range nodes {
		if err := s.ready(ctx); err != nil {
			yield(nil, err)
			return false
		}
		n := s.ids.find(seen.ID)
		if n == nil || n.Expired(s.clock.now()) || !f.Matches(&n.Record) {
			continue
		}
		if !yield(&n.Record, nil) {
			return false
		}
	}
	return true
}
