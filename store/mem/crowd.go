package mem

import (
	"cmp"
	"slices"

	"github.com/lazysession/session/store"
)

// findCrowd finds what the owner that is set will have too many of: the oldest sessions beyond MaxPerOwner, never the
// one that changes. It reports whether the shards of all of them are locked: only then are they sure to stand there.
func (c *commit) findCrowd(old *node) (locked bool) {
	if c.group == nil || c.MaxPerOwner <= 0 {
		return true
	}
	id := c.ID
	if old != nil {
		id = old.ID
	}
	c.crowd = slices.DeleteFunc(c.owned(c.group), func(n *node) bool { return n.ID == id || n.Expired(c.now.Instant) })
	excess := max(0, len(c.crowd)+1-c.MaxPerOwner)
	slices.SortStableFunc(c.crowd, func(a, b *node) int { return cmp.Compare(a.Created, b.Created) })
	c.crowd = c.crowd[:excess]
	for _, n := range c.crowd {
		if !c.locks.has(c.shards.of(n)) {
			return false
		}
	}
	return true
}

// evictCrowd ends the crowd while the shards are still locked, so that nobody sees the owner have too many. Each one
// goes, even if a watcher panics over another.
func (c *commit) evictCrowd() {
	if len(c.crowd) == 0 {
		return
	}
	defer c.owned(c.group)
	for _, n := range slices.Backward(c.crowd) {
		at := c.shards.place(n.Token)
		defer c.detach(&at, n, store.Evicted)
	}
}
