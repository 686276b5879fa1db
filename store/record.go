package store

import "time"

// A Record is one session as a store holds it. Records are immutable: a change makes a new one, so that any number of
// readers share one without copying and without a lock.
//
// Its times are by the clock of the node that loads it, or by the store's Clock: a store with a clock of its own, a
// database, say, translates them, so that clocks which differ change nothing.
type Record struct {
	Token       Token // which token it was found by; whoever loads checks it
	ID          ID
	Version     uint32 // 1 for a new record, and one more with each change but those that only touch
	Persistent  bool   // whether the cookie outlives the browser
	Created     Instant
	LastSeen    Instant       // moves forward only, by Change.Touched and Change.IdleTimeout
	IdleTimeout time.Duration // from LastSeen to the end of an unused session
	Lifetime    time.Duration // from Created to the end of any session
	Owner       string        // whose session it is; empty: nobody's
	Labels      map[string]string
	Values      Values
}

// Expires returns when the record ends: at the idle timeout after it was last seen, or at the end of its lifetime,
// whichever comes first.
func (r *Record) Expires() Instant {
	return min(r.LastSeen.Add(r.IdleTimeout), r.Created.Add(r.Lifetime))
}

// Expired reports whether the record has ended by now.
func (r *Record) Expired(now Instant) bool { return now >= r.Expires() }
