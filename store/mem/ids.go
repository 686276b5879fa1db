package mem

import (
	"hash/maphash"
	"sync"

	"github.com/lazysession/session/store"
)

// ids finds nodes by their IDs, which renewals don't change. Its locks are the innermost.
type ids struct {
	keys keys
	all  [shardCount]idShard
}

type idShard struct {
	mu sync.Mutex
	// mu locks the remaining field.
	index index
}

func (x *ids) init() {
	x.keys = keys{of: func(n *node) []byte { return n.ID[:] }, seed: maphash.MakeSeed()}
	for i := range x.all {
		x.all[i].index.keys = &x.keys
	}
}

func (x *ids) shard(id store.ID) (sh *idShard, hash uint64) {
	hash = x.keys.hash(id[:])
	return &x.all[hash%shardCount], hash
}

// find returns the node of an ID as it is now, or nil.
func (x *ids) find(id store.ID) *node {
	sh, hash := x.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.index.find(hash, id[:])
}

// add adds a node unless its ID is taken, or it is not admitted.
func (x *ids) add(n *node, admit func() bool) error {
	sh, hash := x.shard(n.ID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.index.find(hash, n.ID[:]) != nil {
		return store.ErrConflict
	}
	if !admit() {
		return errFull
	}
	sh.index.add(n)
	return nil
}

func (x *ids) replace(n *node) {
	sh, hash := x.shard(n.ID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.index.replace(hash, n)
}

func (x *ids) remove(n *node) {
	sh, hash := x.shard(n.ID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.index.remove(hash, n)
}

func (x *ids) drop() {
	for i := range x.all {
		sh := &x.all[i]
		sh.mu.Lock()
		sh.index.drop()
		sh.mu.Unlock()
	}
}
