package mem

import (
	"fmt"
	"hash/maphash"
	"unsafe"

	"github.com/lazysession/session/store"
)

// NodeSize is what a session takes besides its values and the tables.
const NodeSize = unsafe.Sizeof(node{})

// Limits returns the limits of sessions and bytes.
func (s *Store) Limits() (sessions, bytes int64) { return s.tally.limit.sessions, s.tally.limit.bytes }

// Check returns what is inconsistent in a store. Nothing may use the store meanwhile.
func (s *Store) Check() error {
	nodes, bytes := 0, int64(0)
	for i := range s.shards.all {
		n, size, err := s.checkShard(&s.shards.all[i])
		if err != nil {
			return fmt.Errorf("shard %d: %w", i, err)
		}
		nodes, bytes = nodes+n, bytes+size
	}
	if bytes != s.Bytes() {
		return fmt.Errorf("the sessions take %d bytes, Bytes() = %d", bytes, s.Bytes())
	}
	inIDs := 0
	for i := range s.ids.all {
		inIDs += s.ids.all[i].index.count
	}
	if nodes != inIDs || nodes != s.Len() {
		return fmt.Errorf("%d nodes by token, %d by ID, Len() = %d", nodes, inIDs, s.Len())
	}
	return s.checkOwners()
}

func (s *Store) checkShard(sh *shard) (listed int, bytes int64, err error) {
	for n := sh.uses.oldest; n != nil; n = n.next {
		listed++
		measured := &node{Record: n.Record}
		measured.measure()
		bytes += int64(measured.size)
		at := s.shards.place(n.Token)
		switch {
		case at.shard != sh || at.find() != n:
			return 0, 0, fmt.Errorf("session %v: not found by its token", n.ID)
		case s.ids.find(n.ID) != n:
			return 0, 0, fmt.Errorf("session %v: not found by its ID", n.ID)
		case sh.deadlines[n.pos] != n:
			return 0, 0, fmt.Errorf("session %v: not at %d among the deadlines", n.ID, n.pos)
		case n.pos > 0 && sh.deadlines[(n.pos-1)/2].Expires() > n.Expires():
			return 0, 0, fmt.Errorf("session %v: expires before its parent in the heap", n.ID)
		case n.next == nil && sh.uses.newest != n, n.next != nil && n.next.prev != n:
			return 0, 0, fmt.Errorf("session %v: broken list", n.ID)
		case n.Owner != "" && !s.hinted(n):
			return 0, 0, fmt.Errorf("session %v: unknown to its owner", n.ID)
		}
	}
	if listed != sh.tokens.count || listed != len(sh.deadlines) {
		return 0, 0, fmt.Errorf("%d by use, %d by token, %d by deadline", listed, sh.tokens.count, len(sh.deadlines))
	}
	if len(sh.retired.until) != len(sh.retired.queue) {
		return 0, 0, fmt.Errorf("%d retired tokens, %d queued", len(sh.retired.until), len(sh.retired.queue))
	}
	return listed, bytes, nil
}

func (s *Store) hinted(n *node) bool {
	g := s.owners.lock(n.Owner)
	defer g.unlock()
	for _, id := range g.held[g.owner].ids {
		if id == n.ID {
			return true
		}
	}
	return false
}

// checkOwners returns an error if an owner has a hint twice, or as many wrong hints as right ones.
func (s *Store) checkOwners() error {
	for i := range s.owners.all {
		for owner, h := range s.owners.all[i].held {
			seen := map[store.ID]bool{}
			wrong := 0
			for _, id := range h.ids {
				if seen[id] {
					return fmt.Errorf("owner %q: session %v twice", owner, id)
				}
				seen[id] = true
				if n := s.ids.find(id); n == nil || n.Owner != owner {
					wrong++
				}
			}
			if 2*wrong >= len(h.ids) {
				return fmt.Errorf("owner %q: %d of %d hints are wrong", owner, wrong, len(h.ids))
			}
		}
	}
	return nil
}

// Footprint returns how many slots the tables and heaps of a store have, used or not, and how many owners and retired
// tokens it remembers.
func (s *Store) Footprint() (slots, owners, retired int) {
	for i := range s.shards.all {
		sh := &s.shards.all[i]
		slots += len(sh.tokens.nodes) + cap(sh.deadlines) + len(s.ids.all[i].index.nodes)
		owners += len(s.owners.all[i].held)
		retired += len(sh.retired.queue)
	}
	return slots, owners, retired
}

// Linked reports whether a record's node still points to other nodes.
func Linked(r *store.Record) bool {
	n := (*node)(unsafe.Pointer(r)) // the record is its first field
	return n.prev != nil || n.next != nil
}

// An Index is an index by ID, for tests.
type Index struct{ index }

// NewIndex returns an empty index.
func NewIndex() *Index {
	return &Index{index{keys: &keys{of: func(n *node) []byte { return n.ID[:] }, seed: maphash.MakeSeed()}}}
}

// Add adds a record under its ID, or replaces the record of that ID.
func (x *Index) Add(r store.Record) {
	n := &node{Record: r}
	if hash := x.hash(r.ID[:]); x.find(hash, r.ID[:]) != nil {
		x.replace(hash, n)
		return
	}
	x.add(n)
}

// Find returns the record of an ID, or nil.
func (x *Index) Find(id store.ID) *store.Record {
	if n := x.find(x.hash(id[:]), id[:]); n != nil {
		return &n.Record
	}
	return nil
}

// Remove removes the record of an ID if it is there.
func (x *Index) Remove(id store.ID) {
	hash := x.hash(id[:])
	if n := x.find(hash, id[:]); n != nil {
		x.remove(hash, n)
	}
}

// Len returns how many records there are, and in how many slots.
func (x *Index) Len() (records, slots int) { return x.count, len(x.nodes) }

// ShardOf returns the number of the shard that a token belongs to.
func (s *Store) ShardOf(token store.Token) int {
	at := s.shards.place(token)
	return at.number
}
