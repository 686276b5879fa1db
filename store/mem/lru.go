package mem

import "math"

// A lru lists the nodes of a shard from the one unused longest to the one used last.
type lru struct{ oldest, newest *node }

// add puts a node at the newest end.
func (l *lru) add(n *node) {
	n.prev = l.newest
	if l.newest == nil {
		l.oldest = n
	} else {
		l.newest.next = n
	}
	l.newest = n
}

// remove takes a node out and clears its links, so that a caller that keeps its record keeps no other node alive.
func (l *lru) remove(n *node) {
	if n.prev == nil {
		l.oldest = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next == nil {
		l.newest = n.prev
	} else {
		n.next.prev = n.prev
	}
	n.prev, n.next = nil, nil
}

// use moves a node to the newest end.
func (l *lru) use(n *node, at int64) {
	n.used = at
	if l.newest != n {
		l.remove(n)
		l.add(n)
	}
}

// idleSince returns the last use of the node unused longest.
func (l *lru) idleSince() int64 {
	if l.oldest == nil {
		return math.MaxInt64
	}
	return l.oldest.used
}
