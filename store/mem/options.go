package mem

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

const (
	defaultMaxSessions = 1 << 20 // with a few small values they take about 300 MB
	defaultMaxBytes    = 1 << 30
)

// Options are the settings of a [Store]. The zero Options, and nil, mean the defaults.
type Options struct {
	// MaxSessions is how many sessions the store keeps. One more ends the session unused longest (store.Evicted).
	// Defaults to 1,048,576. To have practically no limit, set math.MaxInt.
	MaxSessions int
	// MaxBytes is how much memory the sessions may take together. Beyond it, the sessions unused longest are ended
	// (store.Evicted), but never the session that grows or is created: one that is larger than MaxBytes stays alone.
	//
	// A session counts with the bytes of its values and their names, of its labels and of its owner, and with overhead:
	// 256 bytes for the session, 2 to 6 for a value, 128 for an owner, 320 for labels and 64 for each of them. Tokens
	// that renewals replaced don't count: MaxSessions limits how many of them are remembered.
	// Defaults to 1 GiB. To have practically no limit, set math.MaxInt64.
	MaxBytes int64
	// Now is the clock, for tests. Defaults to time.Now.
	Now func() time.Time
}

// withDefaults returns a checked copy of o with every default filled in.
func (o *Options) withDefaults() Options {
	var checked Options
	if o != nil {
		checked = *o
	}
	err := errors.Join(
		notNegative("MaxSessions", int64(checked.MaxSessions)),
		notNegative("MaxBytes", checked.MaxBytes),
	)
	if err != nil {
		panic(err)
	}
	checked.MaxSessions = cmp.Or(checked.MaxSessions, defaultMaxSessions)
	checked.MaxBytes = cmp.Or(checked.MaxBytes, defaultMaxBytes)
	return checked
}

func notNegative(name string, value int64) error {
	if value < 0 {
		return fmt.Errorf("mem: %s is %d: want 0 for the default, or more", name, value)
	}
	return nil
}
