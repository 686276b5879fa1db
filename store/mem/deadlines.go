package mem

import (
	"math"

	"github.com/lazysession/session/store"
)

// deadlines is a binary heap of nodes: the one that expires first is at the top.
type deadlines []*node

func (d *deadlines) add(n *node) {
	*d = append(*d, n)
	n.pos = int32(len(*d) - 1)
	d.up(int(n.pos))
}

func (d *deadlines) remove(n *node) {
	h := *d
	at, last := int(n.pos), len(h)-1
	h.put(at, h[last])
	h[last] = nil
	*d = h[:last]
	if at != last {
		d.fix(at)
	}
	d.shrink()
}

// replace puts a new node where an old one is.
func (d deadlines) replace(old, new *node) {
	d.put(int(old.pos), new)
	if old.Expires() != new.Expires() {
		d.fix(int(new.pos))
	}
}

// earliest returns when the first node expires.
func (d deadlines) earliest() store.Instant {
	if len(d) == 0 {
		return math.MaxInt64
	}
	return d[0].Expires()
}

// shrink gives memory back after many removals.
func (d *deadlines) shrink() {
	const small = 64
	if cap(*d) > small && len(*d) < cap(*d)/4 {
		*d = append(make(deadlines, 0, len(*d)*2), *d...)
	}
}

func (d deadlines) put(at int, n *node) {
	d[at] = n
	n.pos = int32(at)
}

func (d deadlines) fix(at int) { d.down(d.up(at)) }

// up moves a node towards the top until its parent expires no later, and returns where it is then.
func (d deadlines) up(at int) int {
	n, ends := d[at], d[at].Expires()
	for at > 0 {
		parent := (at - 1) / 2
		if d[parent].Expires() <= ends {
			break
		}
		d.put(at, d[parent])
		at = parent
	}
	d.put(at, n)
	return at
}

// down moves a node away from the top until no child expires earlier.
func (d deadlines) down(at int) {
	n, ends := d[at], d[at].Expires()
	for {
		child := d.earlierChild(at)
		if child == 0 || d[child].Expires() >= ends {
			break
		}
		d.put(at, d[child])
		at = child
	}
	d.put(at, n)
}

// earlierChild returns the child that expires first; 0 if there is none.
func (d deadlines) earlierChild(at int) int {
	left, right := 2*at+1, 2*at+2
	switch {
	case left >= len(d):
		return 0
	case right < len(d) && d[right].Expires() < d[left].Expires():
		return right
	}
	return left
}
