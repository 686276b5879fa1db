// Package store is the contract between sessions and the places that keep them.
//
// A [Store] has three methods. Load finds an immutable [Record] by its token, Commit applies a [Change] in one atomic
// step, End removes a record for good. Package storetest holds every rule below as a test; a store that passes it can
// serve a session.Manager.
//
// # The contract
//
//   - [Store]: the three methods, and what they promise
//   - [Record]: one session, with its [Values]
//   - [Change]: what happened to a session, with its Edits
//   - [ErrNotFound], [ErrRetired], [ErrConflict], [ErrOutcomeUnknown], and [ErrNotInteger] in an [EditError]: the
//     errors that callers distinguish
//   - [Event]: what a store reports of its sessions
//
// # How to think about it
//
// A request never writes back the session that it read. It sends a Change, which says what the request did. So requests
// that change different names never lose each other's work, and additions of several requests add up. A Change without
// Created never creates a record, so a session that has ended stays ended, whatever requests are still under way.
//
// The store's clock decides what has expired. An expired record is invisible at once, and is removed later, in small
// batches.
//
// # Optional abilities
//
// A store may also implement these interfaces of one method each, which are found by type assertion. A type that wraps
// a store must pass on the abilities of that store: embed the store's own type, not the Store interface.
//
//   - [Lister]: walk over live records, for "your sessions" and for operators
//   - [Checker]: say which of some records are live
//   - [OwnerEnder]: end all sessions of an owner, "log out everywhere"
//   - [Watcher]: report sessions created, renewed and ended
//   - [Sweeper]: remove expired records in the background
//   - [Pinger]: say whether the store can be reached
//   - [Volatile]: the store's content dies with the process
//   - [Clock]: say what time it is, where that is not [time.Now], as in tests
//
// # Helpers for a store of your own
//
// The example is a whole store that keeps sessions in files, and uses most of them.
//
//   - [Change.New], [Change.Apply] and [Change.ApplyTo] make the record after a change. They define what a change
//     means.
//   - [Change.Allows] checks the conditions IfVersion and IfValue.
//   - [Change.Mutates], [Change.Renews] and [Change.WantsRecord] say what a change needs: a new version, a new token, a
//     record in return.
//   - [Record.Expired] and [Record.Expires] say when a record ends, and [RetiredFor] how long to remember an old token.
//   - [Record.AppendBinary] and [Record.UnmarshalBinary] turn a record into bytes and back, and keep every byte of its
//     values.
//   - [MakeValues] packs the values of a record that the store has read. It is fastest with values in the order of
//     [CompareNames].
//   - [AddJSON] adds to a value as [Add] does, and refuses what is not an integer of JSON.
//   - [Filter.Matches] tests whether a record belongs to a list.
//   - [Watchers], embedded, keeps the functions that [Watcher] adds. [Watchers.Tell] calls them.
//   - [InstantOf] and [ParseID] read times and IDs in the form in which a store may keep them.
//   - [HashToken] makes tokens, for tests of a store.
package store

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Errors that a [Store] returns, as they are or wrapped. Any other error means that the store could not do its work. It
// is then unknown whether a Commit was applied.
var (
	// ErrNotFound says that no live record has the token: there never was one, or it has ended or expired.
	ErrNotFound = errors.New("store: no such session")
	// ErrRetired says that the token was replaced by a renewal within the last [RetiredFor].
	ErrRetired = errors.New("store: token was renewed")
	// ErrConflict says that a Change was refused whole: the record is not at [Change.IfVersion] or has not
	// [Change.IfValue], or another record has the token or ID of the new record, or the new token of a renewal.
	ErrConflict = errors.New("store: conflict")
	// ErrOutcomeUnknown says that a Commit was sent, and that no answer came: it may have been applied or not. A store
	// never sends it again by itself, since an addition could count twice.
	ErrOutcomeUnknown = errors.New("store: outcome unknown")
	// ErrNotInteger says that a Change was refused whole, because it adds to a value that is not an integer, or because
	// the sum is beyond the range of int64. A store returns it wrapped in an [EditError].
	ErrNotInteger = errors.New("store: not an integer")
)

// RetiredFor is how long a store remembers a token that a renewal replaced. It has to be longer than the requests take
// that the browser sent before it got the new token.
const RetiredFor = 2 * time.Minute

// A Store keeps records. All methods may be called by many goroutines at once, respect the context, and return soon
// after it is done.
type Store interface {
	// Load returns the live record of a token, or ErrNotFound or ErrRetired. The record is shared, so the caller must
	// not change it. Load writes nothing that other nodes could see; only changes move last-seen.
	Load(ctx context.Context, token Token) (*Record, error)

	// Commit applies a change to the record of the token, all of it or nothing, and returns the record after it. Where
	// Change.WantsRecord is false, it may return nil instead of the record.
	// Its errors are ErrNotFound, ErrRetired, ErrConflict, and an EditError with ErrNotInteger.
	// After Commit has returned, the store must not keep the Change or anything in it but its strings.
	Commit(ctx context.Context, token Token, change *Change) (*Record, error)

	// End removes a record for good. When it returns without an error, no Load and no Commit on any node finds the
	// record. Ending a session that is gone is no error.
	End(ctx context.Context, id ID, why Reason) error
}

// A Lister walks over live records.
type Lister interface {
	// List yields the live records that match the filter, in no particular order, each one once.
	// It streams: memory does not grow with the number of records. Records created or ended meanwhile may or may not
	// appear. The loop may use the store, and may even end the sessions that it gets. After an error the sequence ends.
	List(ctx context.Context, filter Filter) iter.Seq2[*Record, error]
}

// A Filter says which records to list. The zero Filter matches none, so the list of an empty owner is empty.
type Filter struct {
	Owner string // the sessions of this owner; the empty owner has none
	All   bool   // every session; Owner is then ignored
}

// Matches reports whether a record matches the filter. It is for stores that filter records in Go.
func (f Filter) Matches(r *Record) bool { return f.All || f.Owner != "" && f.Owner == r.Owner }

// An OwnerEnder ends every session of an owner in one atomic step: a login of the owner that commits before it ends,
// too, and a login that commits after it stays.
type OwnerEnder interface {
	// EndOwner ends the sessions of owner except those in except, and returns how many live ones it ended. The empty
	// owner has no sessions.
	EndOwner(ctx context.Context, owner string, except []ID, why Reason) (int, error)
}

// A Watcher reports what happens to sessions.
type Watcher interface {
	// Watch calls f for every event until cancel is called. A store that several servers share may tell of a creation on
	// the server that made it only. f must return soon and must not call the store. Events of
	// one session come in the order in which they happened. The embedded [Watchers] implements this.
	Watch(f func(Event)) (cancel func())
}

// A Sweeper removes expired records, in batches small enough to delay no other call for long.
type Sweeper interface {
	// Sweep removes a batch and says when it should be called next: 0 where more is waiting.
	Sweep(ctx context.Context) (next time.Duration, err error)
}

// A Pinger says whether the store can be reached.
type Pinger interface {
	Ping(ctx context.Context) error
}

// Volatile is implemented by stores that can say that their content dies with the process. Only on such a store may the
// signing key be random, since after a restart no session exists anyway.
type Volatile interface {
	Volatile() bool
}

// A Clock is a store whose time is not time.Now, as in tests. Code that compares times with those of its records has to
// use that clock.
type Clock interface {
	Now() time.Time
}
