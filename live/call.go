package live

import (
	"context"
	"time"
)

// logTimeout is how long one call of the log may take; one that begins late in a period has a second less.
const logTimeout = 5 * time.Second

// A period is a time whose calls of the log share a context.
type period struct {
	ctx    context.Context
	cancel context.CancelFunc // for Hub.Close: an earlier period ends with its deadline
	until  time.Time
}

// call returns the context of one call of the log. Calls that begin at about the same time share it, since a context
// with a deadline costs more than some of them.
func (h *Hub) call() context.Context {
	now := time.Now()
	if p := h.period.Load(); p != nil && now.Before(p.until) {
		return p.ctx
	}
	ctx, cancel := context.WithDeadline(context.Background(), now.Add(logTimeout))
	h.period.Store(&period{ctx: ctx, cancel: cancel, until: now.Add(time.Second)})
	return ctx
}
