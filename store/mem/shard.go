package mem

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/lazysession/session/store"
)

const shardCount = 256

// shards holds all nodes, spread by their tokens.
type shards struct {
	keys keys
	all  [shardCount]shard
	// fronts lie side by side in memory and change seldom, so that reading all of them is quick.
	fronts [shardCount]front
}

// A shard holds the nodes of some tokens.
type shard struct {
	number int
	front  *front

	mu sync.Mutex
	// mu locks the remaining fields, and all fields of the shard's nodes but the record.
	tokens    index
	uses      lru
	deadlines deadlines
	retired   retired
}

// A front is what can be read of a shard without its lock: how old its idlest session is, and when something expires.
// It may be out of date, so a caller looks again under the lock before it acts.
type front struct {
	idleSince atomic.Int64 // last use of the node unused longest
	due       atomic.Int64 // when something in it expires
}

// A place is the shard and the hash of a token, whether there is a node for it or not.
type place struct {
	*shard
	token store.Token
	hash  uint64
}

func (s *shards) init(limit int64) {
	s.keys = keys{of: func(n *node) []byte { return n.Token[:] }, seed: maphash.MakeSeed()}
	for i := range s.all {
		sh := &s.all[i]
		sh.number, sh.front = i, &s.fronts[i]
		sh.tokens.keys = &s.keys
		sh.retired.limit = retiredLimit(limit)
		sh.publish()
	}
}

func (s *shards) place(token store.Token) place {
	hash := s.keys.hash(token[:])
	return place{&s.all[hash%shardCount], token, hash}
}

// of returns the shard of a node.
func (s *shards) of(n *node) *shard { return s.place(n.Token).shard }

func (s *shards) drop() {
	for i := range s.all {
		s.all[i].drop()
	}
}

func (sh *shard) lock() { sh.mu.Lock() }

// unlock publishes the shard's front and releases the lock.
func (sh *shard) unlock() {
	sh.publish()
	sh.mu.Unlock()
}

// publish writes only what has changed, since other cores read the same cache line.
func (sh *shard) publish() {
	if idle := sh.uses.idleSince(); sh.front.idleSince.Load() != idle {
		sh.front.idleSince.Store(idle)
	}
	if due := int64(min(sh.deadlines.earliest(), sh.retired.earliest())); sh.front.due.Load() != due {
		sh.front.due.Store(due)
	}
}

// find returns the node of the place, even if it has expired.
func (p *place) find() *node { return p.tokens.find(p.hash, p.token[:]) }

// live returns the node of the place, or store.ErrNotFound or store.ErrRetired.
func (p *place) live(now store.Instant) (*node, error) {
	if n := p.find(); n != nil && !n.Expired(now) {
		return n, nil
	}
	if p.retired.has(p.token, now) {
		return nil, store.ErrRetired
	}
	return nil, store.ErrNotFound
}

func (sh *shard) use(n *node, now moment) { sh.uses.use(n, now.use) }

func (sh *shard) add(n *node) {
	sh.tokens.add(n)
	sh.uses.add(n)
	sh.deadlines.add(n)
}

func (p *place) remove(n *node) {
	p.tokens.remove(p.hash, n)
	p.uses.remove(n)
	p.deadlines.remove(n)
}

// replace puts a new node in the place of one with the same token. The new node counts as the one used last.
func (p *place) replace(old, new *node) {
	p.tokens.replace(p.hash, new)
	p.uses.remove(old)
	p.uses.add(new)
	p.deadlines.replace(old, new)
}

func (sh *shard) drop() {
	sh.lock()
	defer sh.unlock()
	sh.tokens.drop()
	sh.uses, sh.deadlines = lru{}, nil
	sh.retired.drop()
}
