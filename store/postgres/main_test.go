package postgres_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Main(m)) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// patience bounds what depends on nothing but a busy machine.
const patience = 20 * time.Second

// silent is for stores whose warnings are expected.
var silent = &postgres.Options{Logger: slog.New(slog.DiscardHandler)}

// open returns a Store on tables that it makes, closed with the test.
func open(t testing.TB, pool *pgxpool.Pool, o *postgres.Options) *postgres.Store {
	t.Helper()
	check(t, postgres.Migrate(t.Context(), pool, o))
	s, err := postgres.Open(t.Context(), pool, o)
	check(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// newStore returns a Store on a fresh database.
func newStore(t testing.TB) (*postgres.Store, *pgxpool.Pool) {
	t.Helper()
	pool := pgtest.Pool(t)
	return open(t, pool, silent), pool
}

// twoServers returns two Stores on one fresh database, each with a pool of its own.
func twoServers(t testing.TB) (a, b *postgres.Store) {
	t.Helper()
	url := pgtest.Shared(t).Database(t)
	return open(t, pgtest.Connect(t, url), silent), open(t, pgtest.Connect(t, url), silent)
}

func newToken() (t store.Token) { rand.Read(t[:]); return t }
func newID() (id store.ID)      { rand.Read(id[:]); return id }

func set(name, doc string) store.Edit { return store.Edit{Name: name, JSON: doc} }
func add(name string, n int64) store.Edit {
	return store.Edit{Name: name, Op: store.Add, Delta: n}
}

func creation(edits ...store.Edit) *store.Change {
	return &store.Change{Created: true, ID: newID(), IdleTimeout: time.Hour, Lifetime: 24 * time.Hour, Edits: edits}
}

func create(t testing.TB, s store.Store, c *store.Change) *store.Record {
	t.Helper()
	return commit(t, s, newToken(), c)
}

func commit(t testing.TB, s store.Store, token store.Token, c *store.Change) *store.Record {
	t.Helper()
	r, err := s.Commit(t.Context(), token, c)
	check(t, err)
	return r
}

func load(t testing.TB, s store.Store, token store.Token) *store.Record {
	t.Helper()
	r, err := s.Load(t.Context(), token)
	check(t, err)
	return r
}

// exec runs a statement; %s stands for the table of sessions.
func exec(t testing.TB, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), strings.ReplaceAll(sql, "%s", "session_sessions"), args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func value[T any](t testing.TB, pool *pgxpool.Pool, sql string, args ...any) (v T) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), strings.ReplaceAll(sql, "%s", "session_sessions"), args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// eventually tries until there is no error, and fails with the last one.
func eventually(t testing.TB, within time.Duration, what string, try func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	for start := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		err := try(ctx)
		if err == nil {
			t.Logf("%s after %v", what, time.Since(start).Round(time.Millisecond))
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%s: not within %v: %v", what, within, err)
		}
	}
}

// A diary keeps what a watcher was told.
type diary struct {
	mu     sync.Mutex
	events []store.Event
}

func keepDiary(t testing.TB, s *postgres.Store) *diary {
	d := new(diary)
	t.Cleanup(s.Watch(func(e store.Event) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.events = append(d.events, e)
	}))
	return d
}

func (d *diary) all() []store.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.events)
}

// missed returns how often it was told that events were missed.
func (d *diary) missed() int { return d.count(store.Missed) }

func (d *diary) count(kind store.Kind) (n int) {
	for _, e := range d.all() {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// wait waits until the diary holds the events, in this order, and nothing but them.
func (d *diary) wait(t testing.TB, within time.Duration, want ...store.Event) {
	t.Helper()
	eventually(t, within, "events", func(context.Context) error {
		if got := d.all(); !slices.Equal(got, want) {
			return fmt.Errorf("got %+v, want %+v", got, want)
		}
		return nil
	})
}
