// Package mem keeps sessions in the memory of the process. It is the default store, and the reference for the others.
//
//	manager, err := session.New(mem.New(nil), nil)
//
// # How to think about it
//
// Records never change: a commit replaces one pointer by another. So a load copies nothing, allocates nothing, and
// waits only for short work under the lock of one shard. Tokens spread the sessions over the shards. Each shard has its
// own lock, its own list of sessions in the order of their last use, and its own heap of deadlines.
//
// # Promises
//
//   - The sessions are never more than [Options.MaxSessions], and never take more than [Options.MaxBytes], unless one
//     session alone does. A session that would exceed a limit makes others end: expired ones first, then those unused
//     longest in the whole store, and no more than have to. In sequential use this order is exact.
//   - A session that exceeds its owner's limit is never seen beside those that it replaces: they end in the same step.
//   - An expired session is invisible at once. Nothing ever scans all sessions to find the expired ones.
//   - The package starts no goroutine. [Store.Sweep] removes expired sessions and tells watchers of their end; a
//     session.Manager calls it. Memory stays bounded without it, too.
//   - The content dies with the process.
package mem

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lazysession/session/store"
)

// ErrClosed is returned by every operation after [Store.Close].
var ErrClosed = errors.New("mem: store is closed")

// A Store keeps sessions in memory. Its methods may be called by many goroutines at once.
//
// Locks are taken in this order: one shard of owners, then eviction, then one or more shards of tokens in the order of
// their numbers, then one shard of IDs, then the tally. Code that holds one of them waits for nothing else.
type Store struct {
	store.Watchers
	clock  clock
	closed atomic.Bool

	shards   shards
	ids      ids
	owners   owners
	tally    tally
	eviction sync.Mutex    // held by the one change that evicts other sessions
	sweeps   atomic.Uint32 // where the next sweep starts
}

var (
	_ store.Store      = (*Store)(nil)
	_ store.Lister     = (*Store)(nil)
	_ store.OwnerEnder = (*Store)(nil)
	_ store.Watcher    = (*Store)(nil)
	_ store.Sweeper    = (*Store)(nil)
	_ store.Pinger     = (*Store)(nil)
	_ store.Volatile   = (*Store)(nil)
	_ store.Clock      = (*Store)(nil)
)

// New returns an empty store. A nil o means the defaults. It panics with all mistakes in o, for they are made when the
// program is written; New copies o, so later changes have no effect.
func New(o *Options) *Store {
	checked := o.withDefaults()
	s := &Store{clock: newClock(checked.Now)}
	s.tally.limit = usage{int64(checked.MaxSessions), checked.MaxBytes}
	s.shards.init(s.tally.limit.sessions)
	s.ids.init()
	s.owners.init()
	return s
}

// Load returns the live record of a token. It allocates nothing.
func (s *Store) Load(ctx context.Context, token store.Token) (*store.Record, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	now := s.clock.usage()
	at := s.shards.place(token)
	at.lock()
	n, err := at.live(now.Instant)
	if n != nil {
		at.use(n, now)
	}
	at.unlock()
	if n == nil {
		return nil, s.missing(err)
	}
	return &n.Record, nil
}

// missing returns why nothing was found. A closed store holds nothing, so Load checks for it only after it found
// nothing.
func (s *Store) missing(err error) error {
	if s.closed.Load() {
		return ErrClosed
	}
	return err
}

// End removes a session for good.
func (s *Store) End(ctx context.Context, id store.ID, why store.Reason) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	n, _ := s.endIf(id, anyOwner, why, s.clock.now())
	s.departed(n)
	return nil
}

// ready returns why nothing can be done now.
func (s *Store) ready(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if s.closed.Load() {
		return ErrClosed
	}
	return nil
}

// Ping returns nil until the store is closed.
func (s *Store) Ping(ctx context.Context) error { return s.ready(ctx) }

// Volatile returns true: the content dies with the process.
func (s *Store) Volatile() bool { return true }

// Now returns the store's time.
func (s *Store) Now() time.Time { return s.clock.read() }

// Len returns how many sessions are kept, with those that have expired and were not removed yet.
func (s *Store) Len() int { return int(s.tally.now().sessions) }

// Bytes returns how much memory the sessions that Len counts take, as [Options.MaxBytes] counts it.
func (s *Store) Bytes() int64 { return s.tally.now().bytes }

// Close drops all sessions. Watchers get no events of it. Closing again does nothing.
func (s *Store) Close() error {
	// The flag is set first. A commit that finds it unset under a shard's lock adds a session before that shard is
	// dropped.
	if s.closed.Swap(true) {
		return nil
	}
	s.shards.drop()
	s.ids.drop()
	s.owners.drop()
	s.tally.drop()
	return nil
}
