package mem

import (
	"bytes"
	"hash/maphash"
	"math/bits"
)

// An index finds nodes by a key that is part of them. The built-in map would keep a second copy of each key, 63 bytes a
// session for tokens and 38 for IDs. The index keeps a pointer and a byte in each slot; at loads of 58% to 87% these 9
// bytes come to about 12 a session.
//
// It is a hash table with linear probing, ordered by distance from home ("Robin Hood"). A search stops at the slot that
// the key would have to be in, and compares only keys with the same home. A removal leaves no tombstones, and looks at
// no key.
type index struct {
	*keys
	nodes []*node
	// dist holds, for each slot, 1 more than how far its node is from home; 0 for an empty slot. At a load of 7/8 the
	// chance of a distance d falls as exp(-d/4), so that a byte is enough by more than 20 orders of magnitude.
	dist  []uint8
	count int
}

// keys is what all indexes of one kind share. The seed is random, so that an attacker can't choose keys that cluster.
type keys struct {
	of   func(*node) []byte
	seed maphash.Seed
}

const smallIndex = 8

func (k *keys) hash(key []byte) uint64 { return maphash.Bytes(k.seed, key) }

// home returns the slot of a node in an otherwise empty index. It uses the high bits of the hash, since the low bits
// choose the shard.
func (x *index) home(hash uint64) int {
	high, _ := bits.Mul64(hash, uint64(len(x.dist)))
	return int(high)
}

func (x *index) after(at int) int {
	if at++; at < len(x.dist) {
		return at
	}
	return 0
}

// find returns the node of a key, or nil.
func (x *index) find(hash uint64, key []byte) *node {
	if at := x.slot(hash, key); at >= 0 {
		return x.nodes[at]
	}
	return nil
}

// slot returns the slot of a key's node, or -1.
func (x *index) slot(hash uint64, key []byte) int {
	if x.count == 0 {
		return -1
	}
	at := x.home(hash)
	for d := 1; int(x.dist[at]) >= d; d++ {
		if int(x.dist[at]) == d && bytes.Equal(x.of(x.nodes[at]), key) {
			return at
		}
		at = x.after(at)
	}
	return -1
}

// add adds a node whose key is not in the index.
func (x *index) add(n *node) {
	if x.count >= len(x.dist)/8*7 {
		x.resize(len(x.dist)*3/2 + smallIndex)
	}
	x.count++
	x.settle(n)
}

// settle finds a slot for a node. A node that is farther from its home takes the slot of one that is nearer, which
// moves on.
func (x *index) settle(n *node) {
	at := x.home(x.hash(x.of(n)))
	for d := uint8(1); n != nil; d++ {
		if x.dist[at] < d {
			x.nodes[at], n = n, x.nodes[at]
			x.dist[at], d = d, x.dist[at]
		}
		at = x.after(at)
	}
}

// replace puts a node where another one of the same key is.
func (x *index) replace(hash uint64, n *node) { x.nodes[x.slot(hash, x.of(n))] = n }

// remove takes a node out that is in the index, and moves those behind it nearer to home.
func (x *index) remove(hash uint64, n *node) {
	at := x.slot(hash, x.of(n))
	for next := x.after(at); x.dist[next] > 1; next = x.after(next) {
		x.nodes[at], x.dist[at] = x.nodes[next], x.dist[next]-1
		at = next
	}
	x.nodes[at], x.dist[at] = nil, 0
	x.count--
	if len(x.dist) > 4*smallIndex && x.count < len(x.dist)/4 {
		x.resize(len(x.dist) / 2)
	}
}

func (x *index) resize(size int) {
	old := x.nodes
	x.nodes, x.dist = make([]*node, size), make([]uint8, size)
	for _, n := range old {
		if n != nil {
			x.settle(n)
		}
	}
}

// drop empties the index.
func (x *index) drop() { *x = index{keys: x.keys} }
