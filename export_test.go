package session

import (
	"context"
	"time"
)

// What the tests of the external package need of the inside.

// NewStoreContext returns the context of a store call, how to end it, and how to ask whether its timer was started.
func NewStoreContext(
	parent context.Context, timeout time.Duration,
) (ctx context.Context, release func(), timed func() bool) {
	c := &storeContext{parent: parent, timeout: timeout}
	return c, c.release, func() bool { return c.timed.Load() != nil }
}

// QueueLen is how many events wait for a subscriber.
const QueueLen = queueLen
