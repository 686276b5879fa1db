package store

import "time"

// A Record is one session as a store holds it. Records are immutable: a change makes a new one. So any number of
// readers share a record without copies and without a lock.
//
// The times of a record are by the clock of the node that loads it, or by the store's Clock. A store that uses another
// clock, such as a database's, translates them, so that differences between the clocks don't matter.
type Record struct {
	Token       Token // the token that the record was found by; the session package checks it after each load
	ID          ID
	Version     uint32 // 1 for a new record, and one more after each change that Mutates
	Persistent  bool   // whether the cookie outlives the browser
	Created     Instant
	LastSeen    Instant       // moves forward only, by Change.Touched and Change.IdleTimeout
	IdleTimeout time.Duration // from LastSeen to the end of an unused session
	Lifetime    time.Duration // from Created to the end of any session
	Owner       string        // empty: none
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
