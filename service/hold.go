package service

import (
	"context"
	"slices"
)

// hold leaves the closing of c to the registry's Close. It reports false if that has come
// too far for it.
func (r *Registry) hold(c *closer) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.drained {
		return false
	}
	r.holdLocked(c)
	return true
}

// holdLocked keeps the oldest place of a service that comes a second time: what was built from
// it in between has to be closed before it.
func (r *Registry) holdLocked(c *closer) {
	if c != nil && !r.holdsLocked(c) && !r.parent.holds(c) {
		r.held = append(r.held, c)
	}
}

// closeLate closes what was built when Close did not wait for it any longer.
func (r *Registry) closeLate(ctx context.Context, c *closer) error {
	if c == nil || r.holds(c) {
		return nil
	}
	return c.run(ctx)
}

// holds reports whether r or one of its ancestors closes the service of c.
func (r *Registry) holds(c *closer) bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.holdsLocked(c) || r.parent.holds(c)
}

func (r *Registry) holdsLocked(c *closer) bool {
	return c.svc == any(r) || slices.ContainsFunc(r.held, c.same)
}
