package mem

import (
	"math"

	"github.com/lazysession/session/store"
)

// A node is a record and its place in its shard. A commit replaces the node by a new one, so the record never changes.
// The shard's lock guards the other fields. A node takes 160 bytes, which is exactly a size class of the allocator.
type node struct {
	store.Record
	used       int64  // moment of the last use
	prev, next *node  // in the shard's list of uses
	pos        int32  // in the shard's heap of deadlines
	size       uint32 // what usage counts
}

// What a session takes besides its texts: its node, its places in the tables, and entries of maps. The figures were
// measured, and are rounded up by a fifth.
const (
	sessionSize = 256
	ownerSize   = 128 // for an owner
	labelsSize  = 320 // for labels, whatever their number
	labelSize   = 64  // for each label
)

// measure notes the size of a node's record.
func (n *node) measure() {
	size := sessionSize + n.Values.Footprint()
	if n.Owner != "" {
		size += ownerSize + len(n.Owner)
	}
	if len(n.Labels) > 0 {
		size += labelsSize
	}
	for name, text := range n.Labels {
		size += labelSize + len(name) + len(text)
	}
	n.size = uint32(min(size, math.MaxUint32))
}

// usage is what a node takes.
func (n *node) usage() usage { return usage{1, int64(n.size)} }
