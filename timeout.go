package session

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A storeContext is the context of one store call: the caller's, with a timeout. Unlike context.WithTimeout it starts
// no timer until the store waits, which one in memory never does: that saves most of what such a call costs.
type storeContext struct {
	parent  context.Context
	timeout time.Duration
	polled  atomic.Bool // Err was called, or there is a timer

	once sync.Once
	// once guards the remaining fields.
	timed  context.Context // parent with the timer running
	cancel context.CancelFunc
}

func (c *storeContext) start() context.Context {
	c.once.Do(func() {
		c.timed, c.cancel = context.WithTimeout(c.parent, c.timeout)
		c.polled.Store(true)
	})
	return c.timed
}

// release stops the timer, if there is one. A store that still holds the context finds it done.
func (c *storeContext) release() {
	c.once.Do(func() {
		c.timed, c.cancel = released, func() {}
		c.polled.Store(true)
	})
	c.cancel()
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
	if !c.polled.Swap(true) {
		return c.parent.Err()
	}
	return c.start().Err()
}

func (c *storeContext) Value(key any) any { return c.parent.Value(key) }
