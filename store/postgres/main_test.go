package postgres_test

import (
	"context"
	"crypto/rand"
	"errors"
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

// patience is the time limit for steps that only a busy machine can make slow.
const patience = 20 * time.Second

// silent discards the messages for operators.
var silent = &postgres.Options{Logger: slog.New(slog.DiscardHandler)}

// noListen is silent without a connection for events.
var noListen = &postgres.Options{NoListen: true, Logger: silent.Logger}

// open creates the tables and returns a Store on them. The Store is closed at the end of the test.
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

// connectWith returns a pool on a connection string, after a change of its configuration.
func connectWith(t testing.TB, url string, change func(cfg *pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	check(t, err)
	change(cfg)
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	check(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// throughBouncer returns a pool that reaches a database through PgBouncer, and Options for a Store on it. The settings
// are those that the package's documentation names for PgBouncer in transaction mode.
func throughBouncer(t testing.TB, direct string) (*pgxpool.Pool, *postgres.Options) {
	t.Helper()
	pool := pgtest.Connect(t, pgtest.Shared(t).Bouncer(t, direct)+"?default_query_exec_mode=exec")
	return pool, &postgres.Options{Listen: direct, Logger: silent.Logger}
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

// login creates a session of an owner. A limit of 0 means none.
func login(owner string, limit int, edits ...store.Edit) *store.Change {
	c := creation(edits...)
	c.Owner, c.MaxPerOwner = &owner, limit
	return c
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

// wantLoadError tests that a load of a token returns an error.
func wantLoadError(t testing.TB, s store.Store, token store.Token, want error) {
	t.Helper()
	if got, err := s.Load(t.Context(), token); !errors.Is(err, want) {
		t.Errorf("Load: got %+v, %v, want %v", got, err, want)
	}
}

// listed returns the number of sessions that a filter names.
func listed(t testing.TB, s store.Lister, f store.Filter) (n int) {
	t.Helper()
	for _, err := range s.List(t.Context(), f) {
		check(t, err)
		n++
	}
	return n
}

// errOf returns the error of a call that also returns another result.
func errOf(_ any, err error) error { return err }

// exec runs a statement. %s stands for the table of sessions.
func exec(t testing.TB, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), strings.ReplaceAll(sql, "%s", "session_sessions"), args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// value returns the only value of a query. %s stands for the table of sessions.
func value[T any](t testing.TB, pool *pgxpool.Pool, sql string, args ...any) (v T) {
	t.Helper()
	row := pool.QueryRow(t.Context(), strings.ReplaceAll(sql, "%s", "session_sessions"), args...)
	if err := row.Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// wantRows tests how many sessions the table has.
func wantRows(t testing.TB, pool *pgxpool.Pool, want int) {
	t.Helper()
	if got := value[int](t, pool, "SELECT count(*) FROM %s"); got != want {
		t.Errorf("the table has %d sessions, want %d", got, want)
	}
}

// alterDatabase changes a setting of a pool's database, for new connections.
func alterDatabase(t testing.TB, pool *pgxpool.Pool, change string) {
	t.Helper()
	exec(t, pool, "ALTER DATABASE "+pool.Config().ConnConfig.Database+" "+change)
}

// eventually repeats try until it returns no error. The test fails with the last error when the time is up.
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

// A diary records the events of a watcher.
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

// missed returns the number of Missed events.
func (d *diary) missed() int { return d.count(store.Missed) }

func (d *diary) count(kind store.Kind) (n int) {
	for _, e := range d.all() {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// wait waits until the diary has exactly these events, in this order.
func (d *diary) wait(t testing.TB, within time.Duration, want ...store.Event) {
	t.Helper()
	eventually(t, within, "events", func(context.Context) error {
		if got := d.all(); !slices.Equal(got, want) {
			return fmt.Errorf("got %+v, want %+v", got, want)
		}
		return nil
	})
}
