package store_test

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/lazysession/session/store"
)

// A fileStore keeps each session in a file, so that sessions survive the end of the process. It also keeps them in
// memory. So a load reads no file, and one process at a time may use the directory. Survival of a power failure would
// need File.Sync as well.
type fileStore struct {
	store.Watchers
	dir string

	mu sync.Mutex
	// mu locks the remaining fields.
	records map[store.Token]*store.Record
	tokens  map[store.ID]store.Token
	retired map[store.Token]store.Instant // until when
}

var _ interface {
	store.Store
	store.Lister
	store.OwnerEnder
	store.Watcher
	store.Sweeper
	store.Pinger
} = (*fileStore)(nil)

// openFiles returns a store with the sessions that the files of a directory hold.
func openFiles(dir string) (*fileStore, error) {
	s := &fileStore{dir: dir, retired: map[store.Token]store.Instant{}}
	s.records, s.tokens = map[store.Token]*store.Record{}, map[store.ID]store.Token{}
	files, err := os.ReadDir(dir)
	for _, f := range files {
		if filepath.Ext(f.Name()) == ".json" {
			err = cmp.Or(err, s.read(filepath.Join(dir, f.Name())))
		}
	}
	return s, err
}

func (s *fileStore) read(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	r := new(store.Record)
	if err := r.UnmarshalBinary(b); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	s.records[r.Token], s.tokens[r.ID] = r, r.Token
	return nil
}

// file is named by the ID, which a renewal keeps. So one rename makes the new token live and the old one dead.
func (s *fileStore) file(id store.ID) string { return filepath.Join(s.dir, id.String()+".json") }

func (s *fileStore) putLocked(r *store.Record) error {
	b, err := r.MarshalBinary()
	if err != nil {
		return err
	}
	file := s.file(r.ID)
	if err = os.WriteFile(file+".new", b, 0o600); err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		return err
	}
	delete(s.records, s.tokens[r.ID])
	s.records[r.Token], s.tokens[r.ID] = r, r.Token
	return nil
}

func (s *fileStore) endLocked(r *store.Record, why store.Reason) error {
	if err := os.Remove(s.file(r.ID)); err != nil {
		return err
	}
	delete(s.records, r.Token)
	delete(s.tokens, r.ID)
	s.Tell(store.Event{Kind: store.Ended, ID: r.ID, Owner: r.Owner, Reason: why})
	return nil
}

func now() store.Instant { return store.InstantOf(time.Now()) }

func (s *fileStore) Load(_ context.Context, token store.Token) (*store.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.liveLocked(token)
}

func (s *fileStore) liveLocked(token store.Token) (*store.Record, error) {
	if now() < s.retired[token] {
		return nil, store.ErrRetired
	}
	if r := s.records[token]; r != nil && !r.Expired(now()) {
		return r, nil
	}
	return nil, store.ErrNotFound
}

func (s *fileStore) Commit(_ context.Context, token store.Token, c *store.Change) (*store.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, token := range []store.Token{token, c.RenewTo, s.tokens[c.ID]} {
		if r := s.records[token]; r != nil && r.Expired(now()) { // an expired record counts as absent
			if err := s.endLocked(r, store.Expired); err != nil {
				return nil, err
			}
		}
	}
	r, err := s.applyLocked(token, c)
	if err != nil {
		return nil, err
	}
	if err := s.putLocked(r); err != nil {
		return nil, err
	}
	switch {
	case c.Created:
		s.Tell(store.Event{Kind: store.Created, ID: r.ID, Owner: r.Owner})
	case c.Renews():
		s.retired[token] = now().Add(store.RetiredFor)
		s.Tell(store.Event{Kind: store.Renewed, ID: r.ID, Owner: r.Owner})
	}
	return r, s.limitLocked(r, c)
}

// applyLocked returns the record after a change, which is not stored yet.
func (s *fileStore) applyLocked(token store.Token, c *store.Change) (*store.Record, error) {
	if c.Created {
		if _, taken := s.tokens[c.ID]; taken || s.takenLocked(token) || !c.Allows(nil) {
			return nil, store.ErrConflict
		}
		return c.New(token, now())
	}
	old, err := s.liveLocked(token)
	if err != nil {
		return nil, err
	}
	if !c.Allows(old) || s.takenLocked(c.RenewTo) {
		return nil, store.ErrConflict
	}
	return c.Apply(old, now())
}

func (s *fileStore) takenLocked(token store.Token) bool {
	return s.records[token] != nil || now() < s.retired[token]
}

// limitLocked ends the oldest sessions of an owner that are too many with r.
func (s *fileStore) limitLocked(r *store.Record, c *store.Change) error {
	if c.Owner == nil || c.MaxPerOwner <= 0 {
		return nil
	}
	others := s.matchingLocked(store.Filter{Owner: r.Owner})
	others = slices.DeleteFunc(others, func(other *store.Record) bool { return other == r })
	slices.SortFunc(others, func(a, b *store.Record) int { return cmp.Compare(a.Created, b.Created) })
	for _, old := range others[:max(0, len(others)+1-c.MaxPerOwner)] {
		if err := s.endLocked(old, store.Evicted); err != nil {
			return err
		}
	}
	return nil
}

// matchingLocked returns the live records that match a filter.
func (s *fileStore) matchingLocked(f store.Filter) []*store.Record {
	return slices.DeleteFunc(slices.Collect(maps.Values(s.records)), func(r *store.Record) bool {
		return r.Expired(now()) || !f.Matches(r)
	})
}

func (s *fileStore) End(_ context.Context, id store.ID, why store.Reason) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.records[s.tokens[id]]; r != nil {
		return s.endLocked(r, why)
	}
	return nil
}

func (s *fileStore) EndOwner(_ context.Context, owner string, except []store.ID, why store.Reason) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.matchingLocked(store.Filter{Owner: owner}) {
		if !slices.Contains(except, r.ID) {
			if err := s.endLocked(r, why); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}

func (s *fileStore) List(ctx context.Context, f store.Filter) iter.Seq2[*store.Record, error] {
	return func(yield func(*store.Record, error) bool) {
		s.mu.Lock()
		records := s.matchingLocked(f)
		s.mu.Unlock()
		for _, r := range records {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			if !r.Expired(now()) && !yield(r, nil) {
				return
			}
		}
	}
}

func (s *fileStore) Sweep(context.Context) (next time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.retired, func(_ store.Token, until store.Instant) bool { return until <= now() })
	for _, r := range s.records {
		if r.Expired(now()) {
			return 0, s.endLocked(r, store.Expired)
		}
	}
	return time.Second, nil
}

func (s *fileStore) Ping(ctx context.Context) error { return ctx.Err() }

// A whole store: it keeps sessions in files. Its test is storetest.Run.
func Example() {
	dir, err := os.MkdirTemp("", "sessions")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx, token := context.Background(), store.HashToken([]byte("32 random bytes in the cookie"))

	s, err := openFiles(dir)
	if err != nil {
		log.Fatal(err)
	}
	edits := []store.Edit{{Name: "visits", Op: store.Add, Delta: 1}}
	change := &store.Change{Created: true, ID: store.ID{1}, IdleTimeout: time.Hour, Lifetime: time.Hour, Edits: edits}
	if _, err := s.Commit(ctx, token, change); err != nil {
		log.Fatal(err)
	}

	s, err = openFiles(dir) // as after a restart
	if err != nil {
		log.Fatal(err)
	}
	r, err := s.Commit(ctx, token, &store.Change{Edits: edits})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Values.Get("visits"))
	// Output: 2 true
}
