package mem

import (
	"context"

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
	if c.Renews() {
		c.to = s.shards.place(change.RenewTo)
	}
	record, err := c.run()
	s.departed(c.gone...)
	if err == nil && change.Created {
		s.makeRoom(c.now.Instant)
	}
	return record, err
}

// A commit is one change on its way.
type commit struct {
	*Store
	*store.Change
	now      moment
	from, to place   // where the token stands, and where it will
	group    *group  // of the owner that is set, locked; nil: none is
	gone     []*node // what left an owner
}

// run applies the change, under the lock of the owner that it sets.
func (c *commit) run() (*store.Record, error) {
	if c.Owner == nil || *c.Owner == "" {
		return c.applyOrExpire()
	}
	group := c.owners.lock(*c.Owner)
	defer group.unlock()
	c.group = &group
	record, err := c.applyOrExpire()
	if err == nil && c.MaxPerOwner > 0 {
		c.trim(record.ID)
	}
	return record, err
}

// applyOrExpire is apply, and once more where only an expired session stood in the way.
func (c *commit) applyOrExpire() (*store.Record, error) {
	record, err := c.apply()
	if err == store.ErrConflict && c.Created && c.expireID() {
		return c.apply()
	}
	return record, err
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
	lockBoth(c.from.shard, c.to.shard)
	defer unlockBoth(c.from.shard, c.to.shard)
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
	n, err := c.next(old)
	if err != nil {
		return nil, err
	}
	if old == nil {
		return c.create(n)
	}
	return c.change(old, n), nil
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
	n := &node{used: c.now.use}
	if old == nil {
		record, err := c.New(c.from.token, c.now.Instant)
		if err == nil {
			n.Record = *record
		}
		return n, err
	}
	n.Record = old.Record
	return n, c.ApplyTo(&n.Record, c.now.Instant)
}

func (c *commit) create(n *node) (*store.Record, error) {
	if !c.ids.add(n) {
		return nil, store.ErrConflict
	}
	c.to.add(n)
	c.count.Add(1)
	c.join(n)
	c.Tell(store.Event{Kind: store.Created, ID: n.ID, Owner: n.Owner})
	c.retire(n)
	return &n.Record, nil
}

func (c *commit) change(old, n *node) *store.Record {
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
	return &n.Record
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
