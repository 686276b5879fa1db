package postgres

import (
	"sync/atomic"
	"time"

	"github.com/lazysession/session/store"
)

// A skew is how far this server's clock is ahead of the database's, in whole seconds: times translated by it can be
// compared with time.Now. It changes only if it is clearly wrong, so that each load of a record returns the
// same times.
type skew struct{ seconds atomic.Int64 }

func (k *skew) last() time.Duration { return time.Duration(k.seconds.Load()) * time.Second }

// by returns the skew, given that the database's clock showed now at some time between two of this server's. A long
// wait for a lock, or a slow loop over the rows, doesn't change the skew.
func (k *skew) by(now, sent, received store.Instant) time.Duration {
	const grain = 1500 * time.Millisecond
	kept := k.last()
	least, most := sent.Sub(now), received.Sub(now)
	if kept < least-grain || kept > most+grain {
		kept = least.Round(time.Second)
		k.seconds.Store(int64(kept / time.Second))
	}
	return kept
}
