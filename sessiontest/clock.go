package sessiontest

import (
	"sync/atomic"
	"time"
)

// A Clock is ahead of time.Now by as much as a test has advanced it. The zero Clock shows time.Now. Any number of
// goroutines may use a Clock:
//
//	var clock sessiontest.Clock
//	s := mem.New(&mem.Options{Now: clock.Now})
type Clock struct{ ahead atomic.Int64 }

// Now returns the time.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// Advance moves the clock by d. Sessions that have expired then are invisible at once; their events come about a second
// later.
func (c *Clock) Advance(d time.Duration) { c.ahead.Add(int64(d)) }
