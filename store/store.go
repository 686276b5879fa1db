// Package store is the contract between sessions and the places that keep them.
//
// A [Store] has three methods. Load finds an immutable [Record] by its token, Commit applies a [Change] in one atomic
// step, End removes a record for good. Package storetest holds every rule below as a test; a store that passes it can
// stand under a session.Manager.
//
// # How to think about it
//
// A request never writes a session back as it read it: it sends what it did, as a Change. So requests that change
// different names never lose each other's work, additions add up whoever makes them, and a Change that does not say
// Created never creates, so that what has ended stays ended whatever is still in flight.
//
// Time is judged by one clock: the store's. A record past its end is invisible at once, and removed later, in small
// batches.
//
// # Optional abilities
//
// A store may also implement these, one method each; they are found by type assertion. So a type that wraps a store must
// pass on the abilities of what it wraps: embed the store's own type, not the Store interface.
//
//   - [Lister]: walk over live records, for "your sessions" and for operators
//   - [OwnerEnder]: end all sessions of an owner, "log out everywhere"
//   - [Watcher]: tell of sessions created, renewed and ended
//   - [Sweeper]: remove expired records in the background
//   - [Pinger]: say whether the store can be reached
//   - [Volatile]: the store's content dies with the process
//   - [Clock]: the store's time is not [time.Now], as in tests
package store

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Errors that a [Store] returns, as they are or wrapped. Any other error means that the store could not do its work,
// and whether a Commit was applied is then unknown.
var (
	// ErrNotFound says that no live record has the token: it never had, has ended or has expired.
	ErrNotFound = errors.New("store: no such session")
	// ErrRetired says that the token was replaced by a renewal within the last [RetiredFor].
	ErrRetired = errors.New("store: token was renewed")
	// ErrConflict says that a Change was refused whole: the record is not at [Change.IfVersion] or has not
	// [Change.IfValue], or the token or ID of a record to be created, or the token of a renewal, is taken.
	ErrConflict = errors.New("store: conflict")
	// ErrOutcomeUnknown says that a Commit was sent, and that no answer came: it may have been applied or not. A store
	// never sends it again by itself, for an addition would count twice.
	ErrOutcomeUnknown = errors.New("store: outcome unknown")
	// ErrNotInteger says that a Change was refused whole, since it adds to a value that is not an integer, or the sum
	// leaves the range of int64. A store returns it wrapped in an [EditError].
	ErrNotInteger = errors.New("store: not an integer")
)

// RetiredFor is how long a store remembers a token that a renewal replaced. It has to outlast the requests that were
// sent before the browser learnt of the new one.
const RetiredFor = 2 * time.Minute

// A Store keeps records. All methods may be called by many goroutines at once, respect the context, and return soon
// after it is done.
type Store interface {
	// Load returns the live record of a token, or ErrNotFound or ErrRetired. The record is shared: nobody may change
	// it. Loading writes nothing that other nodes could see; last-seen moves by changes alone.
	Load(ctx context.Context, token Token) (*Record, error)

	// Commit applies a change to the record of the token, all of it or nothing, and returns the record after it; nil
	// will do where Change.WantsRecord says no.
	// It returns ErrNotFound, ErrRetired, ErrConflict, or an EditError with ErrNotInteger.
	// The store may not keep the Change, or anything in it but its strings, after it has returned.
	Commit(ctx context.Context, token Token, change *Change) (*Record, error)

	// End removes a record for good. When it returns without an error, no Load and no Commit on any node finds the
	// record. Ending what is gone is no error.
	End(ctx context.Context, id ID, why Reason) error
}

// A Lister walks over live records.
type Lister interface {
	// List yields the live records that the filter names, in no particular order, each one once.
	// It streams: memory does not grow with the number of records. Records created or ended meanwhile may or may not
	// appear. The loop may use the store, even end what it is given. After an error the sequence ends.
	List(ctx context.Context, filter Filter) iter.Seq2[*Record, error]
}

// A Filter says which records to list. The zero Filter names none: the list of a visitor without a name is empty.
type Filter struct {
	Owner string // the sessions of this owner; the empty owner has none
	All   bool   // every session, whatever Owner says
}

// Matches reports whether the filter names a record. It is for stores that look through records in Go.
func (f Filter) Matches(r *Record) bool { return f.All || f.Owner != "" && f.Owner == r.Owner }

// An OwnerEnder ends every session of an owner in one atomic step: a login of the owner that commits before it is
// ended with the rest, one that commits after it stands.
type OwnerEnder interface {
	// EndOwner ends the sessions of owner but those in except, and returns how many live ones it ended. No owner (the
	// empty string) has no sessions.
	EndOwner(ctx context.Context, owner string, except []ID, why Reason) (int, error)
}

// A Watcher tells what happens to sessions.
type Watcher interface {
	// Watch calls f for every event until cancel is called. A store that several servers share may tell of a creation on
	// the server that made it only. f must return soon and must not call the store. Events of
	// one session come in the order in which they happened. The embedded [Watchers] implements this.
	Watch(f func(Event)) (cancel func())
}

// A Sweeper removes expired records, in batches that stall nobody.
type Sweeper interface {
	// Sweep removes a batch and says when it should be called next: 0 where more is waiting.
	Sweep(ctx context.Context) (next time.Duration, err error)
}

// A Pinger says whether the store can be reached.
type Pinger interface {
	Ping(ctx context.Context) error
}

// Volatile is implemented by stores that may say that their content dies with the process. Only on such a store may
// the signing key be a random one, for after a restart nobody could be logged in anyway.
type Volatile interface {
	Volatile() bool
}

// A Clock is a store whose time is not time.Now, as in tests. Whoever compares the times of its records has to ask it.
type Clock interface {
	Now() time.Time
}
