package mem

import (
	"context"
	"errors"

	"github.com/lazysession/session/store"
)

// Commit applies a change to the record of a token.
func (s *Store) Commit(ctx context.Context, token store.Token, change *store.Change) (*store.Record, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	c := commit{Store: s, Change: change, now: s.clock.usage()}
	c.from = s.shards.place(token)
	c.to = c.from
	c.locks.add(c.from.shard)
	if c.Renews() {
		c.to = s.shards.place(change.RenewTo)
		c.locks.add(c.to.shard)
	}
	record, err := c.run()
	s.departed(c.gone...)
	return record, err
}

// A commit is one change on its way.
type commit struct {
	*Store
	*store.Change
	now      moment
	from, to place     // where the token stands, and where it will
	group    *group    // of the owner that is set, locked; nil: none is
	locks    lockSet   // the shards that the change needs
	made     *node     // what a creation makes
	crowd    []*node   // what the owner that is set has too many of
	more     usage     // what the change takes in addition
	spare    *store.ID // which session is not to make room; nil: any may
	gone     []*node   // what left an owner
}

// Why apply has to be called again.
var (
	errLocks = errors.New("mem: more shards are needed")
	errRoom  = errors.New("mem: more room is needed")
)

// run applies the change, under the lock of the owner that it sets.
func (c *commit) run() (*store.Record, error) {
	if c.Owner != nil && *c.Owner != "" {
		group := c.owners.lock(*c.Owner)
		defer group.unlock()
		c.group = &group
	}
	record, err := c.try()
	if err == errRoom {
		return c.makeRoom()
	}
	return record, err
}

// try is apply, again where more shards had to be locked, or where only an expired session stood in the way.
func (c *commit) try() (*store.Record, error) {
	for {
		record, err := c.apply()
		switch {
		case err == errLocks:
			for _, n := range c.crowd {
				c.locks.add(c.shards.of(n))
			}
		case err != store.ErrConflict || !c.Created || !c.expireID():
			return record, err
		}
	}
}

// expireID removes an expired session that has the ID of the new one: it counts as absent. It stands in any shard, so
// this is done while this change's own are not locked. By the same reading of the clock, what is found then is alive.
func (c *commit) expireID() bool {
	n := c.ids.find(c.ID)
	if n == nil || !n.Expired(c.now.Instant) {
		return false
	}
	n, _ = c.endIf(c.ID, func(*node) bool { return false }, store.Expired, c.now.Instant)
	c.left(n)
	return true
}

// apply makes the change in one step that nobody sees half of.
func (c *commit) apply() (*store.Record, error) {
	c.locks.lock(&c.shards)
	defer c.locks.unlock(&c.shards)
	if c.closed.Load() {
		return nil, ErrClosed
	}
	old, err := c.current()
	if err != nil {
		return nil, err
	}
	if c.Renews() && !c.free(&c.to) {
		return nil, store.ErrConflict
	}
	if !c.findCrowd(old) {
		return nil, errLocks
	}
	n, err := c.next(old)
	if err != nil {
		return nil, err
	}
	if old == nil {
		return c.create(n)
	}
	return c.change(old, n)
}

// current returns the node to be changed, nil if one is to be created, or why neither can be done.
func (c *commit) current() (*node, error) {
	if c.Created {
		if !c.free(&c.from) || c.RenewTo == c.from.token || !c.Allows(nil) {
			return nil, store.ErrConflict
		}
		return nil, nil
	}
	n, err := c.from.live(c.now.Instant)
	if err == nil && !c.Allows(&n.Record) {
		return nil, store.ErrConflict
	}
	return n, err
}

// free reports whether a token is nobody's, and removes what has expired under it.
func (c *commit) free(at *place) bool {
	n, err := at.live(c.now.Instant)
	if n != nil || err == store.ErrRetired {
		return false
	}
	if expired := at.find(); expired != nil {
		c.removeLocked(at, expired, store.Expired)
		c.left(expired)
	}
	return true
}

// next returns the node that takes the place of old.
func (c *commit) next(old *node) (*node, error) {
	if c.made != nil {
		return c.made, nil
	}
	n := &node{used: c.now.use}
	if old == nil {
		record, err := c.New(c.from.token, c.now.Instant)
		if err != nil {
			return nil, err
		}
		n.Record = *record
		n.measure()
		c.made = n
		return n, nil
	}
	n.Record = old.Record
	err := c.ApplyTo(&n.Record, c.now.Instant)
	n.measure()
	return n, err
}

// admit takes the room that n needs in place of old, and of the crowd.
func (c *commit) admit(old, n *node) bool {
	c.more = n.usage()
	if old != nil {
		c.more.sub(old.usage())
	}
	for _, n := range c.crowd {
		c.more.sub(n.usage())
	}
	return c.tally.admit(c.more)
}

func (c *commit) create(n *node) (*store.Record, error) {
	if err := c.ids.add(n, func() bool { return c.admit(nil, n) }); err != nil {
		return nil, err
	}
	defer c.evictCrowd()
	c.to.add(n)
	c.join(n)
	c.Tell(store.Event{Kind: store.Created, ID: n.ID, Owner: n.Owner})
	c.retire(n)
	return &n.Record, nil
}

func (c *commit) change(old, n *node) (*store.Record, error) {
	if !c.admit(old, n) {
		c.from.use(old, c.clock.usage()) // so that others are idler
		c.spare = &old.ID
		return nil, errRoom
	}
	defer c.evictCrowd()
	if c.Renews() {
		c.from.remove(old)
		c.to.add(n)
	} else {
		c.from.replace(old, n)
	}
	c.ids.replace(n)
	c.join(n)
	if old.Owner != n.Owner {
		c.left(old)
	}
	c.retire(n)
	return &n.Record, nil
}

// join tells the owner that is set of its session: before any watcher, so that not even one that panics leaves a session
// out of what EndOwner ends.
func (c *commit) join(n *node) {
	if c.group != nil {
		c.group.join(n.ID, c.Created)
	}
}

// retire remembers the token that this change replaces.
func (c *commit) retire(n *node) {
	if c.Renews() {
		c.from.retired.add(c.from.token, c.now.Instant)
		c.Tell(store.Event{Kind: store.Renewed, ID: n.ID, Owner: n.Owner})
	}
}

// left notes a node that its owner no longer has. Most have none, and cost nothing here.
func (c *commit) left(n *node) {
	if n != nil && n.Owner != "" {
		c.gone = append(c.gone, n)
	}
}
