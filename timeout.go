package session

import (
	"context"
	"sync/atomic"
	"time"
)

// A storeContext is the context of one store call: the caller's, with a timeout, and not cancelled with it. Unlike
// context.WithTimeout it starts no timer until the store waits, which one in memory never does: that saves most of what
// such a call costs.
type storeContext struct {
	parent  context.Context
	timeout time.Duration

	asked atomic.Bool                  // for Err, once
	timed atomic.Pointer[timedContext] // nil before the store waits
}

// A timedContext is a context with a timeout, and what stops its timer.
type timedContext struct {
	context.Context
	stop context.CancelFunc
}

func (c *storeContext) start() context.Context {
	if t := c.timed.Load(); t != nil {
		return t
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(c.parent), c.timeout)
	t := &timedContext{ctx, stop}
	if !c.timed.CompareAndSwap(nil, t) { // by the store's other goroutine, or released
		stop()
	}
	return c.timed.Load()
}

// release stops the timer, if there is one. A store that still holds the context finds it done.
func (c *storeContext) release() {
	if !c.timed.CompareAndSwap(nil, released) {
		c.timed.Load().stop()
	}
}

var released = func() *timedContext {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return &timedContext{ctx, cancel}
}()

func (c *storeContext) Deadline() (time.Time, bool) { return c.start().Deadline() }

func (c *storeContext) Done() <-chan struct{} { return c.start().Done() }

// Err starts no timer when it is first called: a store that looks once, before it begins, is not waiting.
func (c *storeContext) Err() error {
	if c.timed.Load() != nil || c.asked.Swap(true) {
		return c.start().Err()
	}
	return nil
}

// Value passes on the timer's context as well, so that contexts which drivers derive are cancelled by it directly:
// package context starts a goroutine for each child of a parent that it can't look into. It hides the session, which is
// locked while the store works: a log handler that asked its context for the session's ID would wait for ever.
func (c *storeContext) Value(key any) any {
	switch key.(type) {
	case contextKey, *Manager:
		return noMiddleware
	}
	t := c.timed.Load()
	if t == nil || t == released {
		return c.parent.Value(key)
	}
	return t.Value(key)
}
