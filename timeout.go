package session

import (
	"context"
	"sync"
	"time"
)

// A storeContext is the context of one store call: the caller's, with a timeout. Unlike context.WithTimeout it starts
// no timer until the store waits, which one in memory never does: that saves most of what such a call costs.
type storeContext struct {
	parent   context.Context
	timeout  time.Duration
	detached bool // the parent's end cancels nothing

	mu sync.Mutex
	// mu locks the remaining fields.
	asked  bool            // for Err, once
	timed  context.Context // parent with the timer running; nil before
	cancel context.CancelFunc
}

func (c *storeContext) start() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil {
		parent := c.parent
		if c.detached {
			parent = context.WithoutCancel(parent)
		}
		c.timed, c.cancel = context.WithTimeout(parent, c.timeout)
	}
	return c.timed
}

// release stops the timer, if there is one. A store that still holds the context finds it done.
func (c *storeContext) release() {
	c.mu.Lock()
	if c.timed == nil {
		c.timed = released
	}
	cancel := c.cancel
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

var released = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

func (c *storeContext) Deadline() (time.Time, bool) { return c.start().Deadline() }

func (c *storeContext) Done() <-chan struct{} { return c.start().Done() }

// Err starts no timer when it is first called: a store that looks once, before it begins, is not waiting.
func (c *storeContext) Err() error {
	c.mu.Lock()
	first := !c.asked && c.timed == nil
	c.asked = true
	c.mu.Unlock()
	switch {
	case !first:
		return c.start().Err()
	case c.detached:
		return nil
	}
	return c.parent.Err()
}

// Value passes on the timer's context as well, so that contexts which drivers derive are cancelled by it directly:
// package context starts a goroutine for each child of a parent that it can't look into. It hides the session, which is
// locked while the store works: a log handler that asked its context for the session's ID would wait for ever.
func (c *storeContext) Value(key any) any {
	switch key.(type) {
	case contextKey, *Manager:
		return noMiddleware
	}
	c.mu.Lock()
	timed := c.timed
	c.mu.Unlock()
	if timed == nil || timed == released {
		return c.parent.Value(key)
	}
	return timed.Value(key)
}
