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
	c := commit{s: s, change: change, now: s.clock.usage()}
	c.from = s.shards.place(token)
	c.to = c.from
	c.locks.add(c.from.shard)
	if change.Renews() {
		c.to = s.shards.place(change.RenewTo)
		c.locks.add(c.to.shard)
	}
	record, err := c.run()
	s.departed(c.gone...)
	return record, err
}

// A commit is the work of one call of Commit.
type commit struct {
	s        *Store
	change   *store.Change
	now      moment
	from, to place     // of the token before the change, and after it
	group    *group    // of the owner that is set, locked; nil: none is
	locks    lockSet   // the shards that the change needs
	made     *node     // what a creation makes
	crowd    []*node   // the sessions beyond the limit of the owner that is set
	more     usage     // what the change takes in addition
	spare    *store.ID // the session that is not to be evicted; nil: any may be
	gone     []*node   // the sessions that their owners have lost
}

// Why apply has to be called again.
var (
	errLocks = errors.New("mem: more shards are needed")
	errFull  = errors.New("mem: other sessions have to be evicted")
)

// run applies the change, under the lock of the owner that it sets.
func (c *commit) run() (*store.Record, error) {
	if owner := c.change.Owner; owner != nil && *owner != "" {
		group := c.s.owners.lock(*owner)
		defer group.unlock()
		c.group = &group
	}
	record, err := c.try()
	if err == errFull {
		return c.evictAndTry()
	}
	return record, err
}

// try calls apply. It calls it again where more shards have to be locked, and where only an expired session was in
// the way.
func (c *commit) try() (*store.Record, error) {
	for {
		record, err := c.apply()
		switch {
		case err == errLocks:
			for _, n := range c.crowd {
				c.locks.add(c.s.shards.of(n))
			}
		case err != store.ErrConflict || !c.change.Created || !c.expireID():
			return record, err
		}
	}
}

// expireID removes an expired session that has the ID of the new one, since it counts as absent. That session may be in
// any shard, so the commit holds no shard's lock here. Both looks use the same reading of the clock, so a session that
// is still found afterwards has not expired.
func (c *commit) expireID() bool {
	n := c.s.ids.find(c.change.ID)
	if n == nil || !n.Expired(c.now.Instant) {
		return false
	}
	n, _ = c.s.endIf(c.change.ID, onlyExpired, store.Expired, c.now.Instant)
	c.left(n)
	return true
}

// apply makes the whole change under one set of locks, so that no load finds half of it.
func (c *commit) apply() (*store.Record, error) {
	c.locks.lock(&c.s.shards)
	defer c.locks.unlock(&c.s.shards)
	if c.s.closed.Load() {
		return nil, ErrClosed
	}
	old, err := c.current()
	if err != nil {
		return nil, err
	}
	if c.change.Renews() && !c.free(&c.to) {
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
	return c.update(old, n)
}

// current returns the node to be changed, or nil if one is to be created. The error says why neither can be done.
func (c *commit) current() (*node, error) {
	if c.change.Created {
		if !c.free(&c.from) || c.change.RenewTo == c.from.token || !c.change.Allows(nil) {
			return nil, store.ErrConflict
		}
		return nil, nil
	}
	n, err := c.from.live(c.now.Instant)
	if err == nil && !c.change.Allows(&n.Record) {
		return nil, store.ErrConflict
	}
	return n, err
}

// free reports whether a token is free to be taken. It removes an expired session of that token.
func (c *commit) free(at *place) bool {
	n, err := at.live(c.now.Instant)
	if n != nil || err == store.ErrRetired {
		return false
	}
	if expired := at.find(); expired != nil {
		c.s.removeLocked(at, expired, store.Expired)
		c.left(expired)
	}
	return true
}

// next returns the node that replaces old.
func (c *commit) next(old *node) (*node, error) {
	if c.made != nil {
		return c.made, nil
	}
	n := &node{used: c.now.use}
	if old == nil {
		record, err := c.change.New(c.from.token, c.now.Instant)
		if err != nil {
			return nil, err
		}
		n.Record = *record
		n.measure()
		c.made = n
		return n, nil
	}
	n.Record = old.Record
	err := c.change.ApplyTo(&n.Record, c.now.Instant)
	n.measure()
	return n, err
}

// admit adds n to the tally in place of old and of the crowd, and reports whether the limits allow it.
func (c *commit) admit(old, n *node) bool {
	c.more = n.usage()
	if old != nil {
		c.more.sub(old.usage())
	}
	for _, n := range c.crowd {
		c.more.sub(n.usage())
	}
	return c.s.tally.admit(c.more)
}

func (c *commit) create(n *node) (*store.Record, error) {
	if err := c.s.ids.add(n, func() bool { return c.admit(nil, n) }); err != nil {
		return nil, err
	}
	defer c.evictCrowd()
	c.to.add(n)
	c.join(n)
	c.s.Tell(store.Event{Kind: store.Created, ID: n.ID, Owner: n.Owner})
	c.retire(n)
	return &n.Record, nil
}

func (c *commit) update(old, n *node) (*store.Record, error) {
	if !c.admit(old, n) {
		c.from.use(old, c.s.clock.usage()) // so that another session is the one unused longest
		c.spare = &old.ID
		return nil, errFull
	}
	defer c.evictCrowd()
	if c.change.Renews() {
		c.from.remove(old)
		c.to.add(n)
	} else {
		c.from.replace(old, n)
	}
	c.s.ids.replace(n)
	c.join(n)
	if old.Owner != n.Owner {
		c.left(old)
	}
	c.retire(n)
	return &n.Record, nil
}

// join adds the session to the owner that is set. It is called before any watcher, so that EndOwner finds the session
// even where a watcher panics.
func (c *commit) join(n *node) {
	if c.group != nil {
		c.group.join(n.ID, c.change.Created)
	}
}

// retire remembers the token that this change replaces.
func (c *commit) retire(n *node) {
	if c.change.Renews() {
		c.from.retired.add(c.from.token, c.now.Instant)
		c.s.Tell(store.Event{Kind: store.Renewed, ID: n.ID, Owner: n.Owner})
	}
}

// left notes a node that its owner no longer has. Most nodes have no owner, and cost nothing here.
func (c *commit) left(n *node) {
	if n != nil && n.Owner != "" {
		c.gone = append(c.gone, n)
	}
}
