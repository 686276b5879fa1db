package sessiontest

import (
	"sync/atomic"
	"time"
)

// A Clock goes like time.Now, and ahead of it by as much as a test has advanced it. The zero Clock is right; any number
// of goroutines may use it:
//
//	var clock sessiontest.Clock
//	s := mem.New(&mem.Options{Now: clock.Now})
type Clock struct{ ahead atomic.Int64 }

// Now returns the time.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// Advance moves the clock by d. What has expired then is invisible at once; events tell of it about a second later.
func (c *Clock) Advance(d time.Duration) { c.ahead.Add(int64(d)) }
