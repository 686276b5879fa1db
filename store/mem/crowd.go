package mem

import (
	"cmp"
	"slices"

	"github.com/lazysession/session/store"
)

// findCrowd finds the oldest sessions beyond MaxPerOwner of the owner that is set, but never the one that changes. It
// reports whether the shards of all of them are locked: only then do they stay where they are.
func (c *commit) findCrowd(old *node) (locked bool) {
	if c.group == nil || c.change.MaxPerOwner <= 0 {
		return true
	}
	id := c.change.ID
	if old != nil {
		id = old.ID
	}
	others := c.s.prune(c.group)
	c.crowd = slices.DeleteFunc(others, func(n *node) bool { return n.ID == id || n.Expired(c.now.Instant) })
	excess := max(0, len(c.crowd)+1-c.change.MaxPerOwner)
	slices.SortStableFunc(c.crowd, func(a, b *node) int { return cmp.Compare(a.Created, b.Created) })
	c.crowd = c.crowd[:excess]
	for _, n := range c.crowd {
		if !c.locks.has(c.s.shards.of(n)) {
			return false
		}
	}
	return true
}

// evictCrowd ends the crowd while the shards are still locked, so that no load finds too many sessions of the owner.
// Each of them ends, even if a watcher panics at the end of another.
func (c *commit) evictCrowd() {
	if len(c.crowd) == 0 {
		return
	}
	defer c.s.prune(c.group)
	for _, n := range slices.Backward(c.crowd) {
		at := c.s.shards.place(n.Token)
		defer c.s.detach(&at, n, store.Evicted)
	}
}
