package mem

import (
	"sync/atomic"
	"time"

	"github.com/lazysession/session/store"
)

// A clock says what time it is, and in which order sessions are used.
type clock struct {
	read func() time.Time
	// ticks says that two readings in a row differ, so that the time alone puts uses in order. A counter would do so,
	// too, but then every load on every core would write the same cache line.
	ticks bool
	start time.Time
	uses  atomic.Int64
}

// A moment is when a session is used.
type moment struct {
	store.Instant
	use int64 // more than that of every earlier use
}

// newClock returns a clock that reads now, or time.Now if now is nil. Not every clock ticks: the clocks of tests and
// time.Now inside testing/synctest stand still, and time.Now on some systems advances in coarse steps.
func newClock(now func() time.Time) clock {
	if now != nil {
		return clock{read: now}
	}
	start := time.Now()
	return clock{read: time.Now, ticks: time.Since(start) > 0, start: start}
}

func (c *clock) now() store.Instant { return store.InstantOf(c.read()) }

func (c *clock) usage() moment {
	t := c.read()
	if c.ticks {
		return moment{store.InstantOf(t), int64(t.Sub(c.start))}
	}
	return moment{store.InstantOf(t), c.uses.Add(1)}
}
