package mem

import (
	"hash/maphash"
	"slices"
	"sync"

	"github.com/lazysession/session/store"
)

// owners finds the sessions of an owner. Its locks are the outermost. A commit that sets an owner and EndOwner both
// hold the owner's lock, so that neither sees half of the other's work.
//
// Sessions end, and move to other owners, under other locks. So owners holds hints: the IDs of all sessions of an
// owner, and for a while also IDs of sessions that have ended or have another owner.
type owners struct {
	seed maphash.Seed
	all  [shardCount]ownerShard
}

type ownerShard struct {
	mu sync.Mutex
	// mu locks the remaining field.
	held map[string]held
}

// held are the sessions of one owner, in the order in which they came.
type held struct {
	ids  []store.ID
	left int // how many of them may have gone
}

// A group is a locked shard of owners, and one owner in it.
type group struct {
	*ownerShard
	owner string
}

func (o *owners) init() { o.seed = maphash.MakeSeed() }

func (o *owners) lock(owner string) group {
	sh := &o.all[maphash.String(o.seed, owner)%shardCount]
	sh.mu.Lock()
	return group{sh, owner}
}

func (o *owners) drop() {
	for i := range o.all {
		sh := &o.all[i]
		sh.mu.Lock()
		sh.held = nil
		sh.mu.Unlock()
	}
}

func (g *group) unlock() { g.mu.Unlock() }

// join adds a session, unless it is among the hints. A session just created can be among them only if an earlier one of
// its ID left. Otherwise join skips the search, which would take long for an owner of very many sessions.
func (g *group) join(id store.ID, created bool) {
	h := g.held[g.owner]
	known := (!created || h.left > 0) && slices.Contains(h.ids, id)
	if !known {
		h.ids = append(h.ids, id)
		g.set(h)
	}
}

// set stores the hints of the owner. Maps never shrink, so an empty one is dropped.
func (g *group) set(h held) {
	if len(h.ids) > 0 {
		if g.held == nil {
			g.held = make(map[string]held)
		}
		g.held[g.owner] = h
		return
	}
	delete(g.held, g.owner)
	if len(g.held) == 0 {
		g.held = nil
	}
}

// leave notes that an owner has lost a session. To find its hint among very many would take long, so leave only counts,
// and prunes when half of the hints may be wrong. With a single hint that is at once.
func (s *Store) leave(owner string) {
	g := s.owners.lock(owner)
	defer g.unlock()
	h, ok := g.held[owner]
	if !ok {
		return
	}
	if h.left++; 2*h.left < len(h.ids) {
		g.held[owner] = h
		return
	}
	s.prune(&g)
}

// prune forgets the wrong hints, and returns the sessions that the owner has, expired ones among them.
func (s *Store) prune(g *group) []*node {
	hints := g.held[g.owner].ids
	nodes := make([]*node, 0, len(hints))
	for _, id := range hints {
		if n := s.ids.find(id); n != nil && n.Owner == g.owner {
			nodes = append(nodes, n)
		}
	}
	g.set(held{ids: idsOf(nodes)})
	return nodes
}

func idsOf(nodes []*node) []store.ID {
	ids := make([]store.ID, len(nodes))
	for i, n := range nodes {
		ids[i] = n.ID
	}
	return ids
}
