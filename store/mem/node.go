package mem

import "github.com/lazysession/session/store"

// A node is a record and its place in its shard. A commit puts a new node in its place, so the record never changes,
// while the rest is guarded by the shard's lock. Its 160 bytes fill a size class of the allocator to the last.
type node struct {
	store.Record
	used       int64 // moment of the last use
	prev, next *node // in the shard's list of uses
	pos        int32 // in the shard's heap of deadlines
}
