package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

// fillSessions makes n sessions in the database, each last seen so long ago.
func fillSessions(t *testing.T, s *postgres.Store, n int, seen time.Duration, exec func(sql string, args ...any)) {
	t.Helper()
	exec(`INSERT INTO session_sessions (created, lapses, ends, due, idle, id, version, persistent, token, owner, labels, data)
SELECT seen, seen + interval '1 hour', seen + interval '1 day', seen + interval '1 hour', 3600000000, gen_random_uuid(), 1, false,
	sha256(gen_random_uuid()::text::bytea), 'ann', '{}', '{}' FROM generate_series(1, $1), (SELECT now() - $2::interval AS seen) AS s`, n, seen)
}

func TestSweepRemovesInBatches(t *testing.T) {
	s, pool := newStore(t)
	alive := create(t, s, creation())
	fillSessions(t, s, 2500, 2*time.Hour, func(sql string, args ...any) { exec(t, pool, sql, args...) })
	d := keepDiary(t, s)
	var left []int
	for {
		next, err := s.Sweep(t.Context())
		check(t, err)
		left = append(left, value[int](t, pool, "SELECT count(*) FROM %s"))
		if next > 0 {
			break
		}
	}
	if want := []int{1501, 501, 1}; !slices.Equal(left, want) {
		t.Errorf("left after each batch: got %v, want %v", left, want)
	}
	load(t, s, alive.Token)
	eventually(t, patience, "all ends are told", func(context.Context) error {
		if n := d.count(store.Ended); n != 2500 {
			return fmt.Errorf("%d are, want 2500", n)
		}
		return nil
	})
	told := d.all()
	if len(told) != 2500 || told[0].Kind != store.Ended || told[0].Reason != store.Expired || told[0].Owner != "ann" {
		t.Errorf("got %d events, the first %+v, want 2500 of sessions of ann that expired", len(told), told[:1])
	}
}

// A row that is due may have been used since: it is looked at again when it may end, and not in each pass.
func TestSweepPutsOffWhatLives(t *testing.T) {
	s, pool := newStore(t)
	r := create(t, s, creation())
	exec(t, pool, "UPDATE %s SET due = now() - interval '1 minute'")
	_, err := s.Sweep(t.Context())
	check(t, err)
	off := value[float64](t, pool, "SELECT extract(epoch FROM due - lapses)::float8 FROM %s")
	if off < 0 || off > 1 {
		t.Errorf("due %v s after the session's end, want 0 to 1", off)
	}
	before := value[string](t, pool, "SELECT ctid::text FROM %s")
	_, err = s.Sweep(t.Context())
	check(t, err)
	if got := value[string](t, pool, "SELECT ctid::text FROM %s"); got != before {
		t.Error("a second pass wrote the row again")
	}
	load(t, s, r.Token)
}

// One of two servers sweeps. The other does nothing, and doesn't wait.
func TestSweepByOneServer(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	pool := pgtest.Connect(t, address)
	s := open(t, pool, silent)
	fillSessions(t, s, 10, 2*time.Hour, func(sql string, args ...any) { exec(t, pool, sql, args...) })

	// The other server is in the middle of its batch.
	other, err := pgtest.Connect(t, address).Begin(t.Context())
	check(t, err)
	defer other.Rollback(t.Context())
	_, err = other.Exec(t.Context(), "SELECT pg_advisory_xact_lock(hashtextextended('public.session.events/sweep', 0))")
	check(t, err)

	next, err := s.Sweep(t.Context())
	if n := value[int](t, pool, "SELECT count(*) FROM %s"); err != nil || next == 0 || n != 10 {
		t.Errorf("while the other sweeps: got %v, %v and %d sessions, want a pause, no error and 10", next, err, n)
	}
	check(t, other.Rollback(t.Context()))
	_, err = s.Sweep(t.Context())
	if n := value[int](t, pool, "SELECT count(*) FROM %s"); err != nil || n != 0 {
		t.Errorf("afterwards: got %v and %d sessions, want none", err, n)
	}
}

// A sweep waits for no row that is in use.
func TestSweepSkipsLockedRows(t *testing.T) {
	s, pool := newStore(t)
	fillSessions(t, s, 3, 2*time.Hour, func(sql string, args ...any) { exec(t, pool, sql, args...) })
	tx, err := pool.Begin(t.Context())
	check(t, err)
	defer tx.Rollback(t.Context())
	_, err = tx.Exec(t.Context(), "SELECT FROM session_sessions LIMIT 1 FOR UPDATE")
	check(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = s.Sweep(ctx)
	if n := value[int](t, pool, "SELECT count(*) FROM %s"); err != nil || n != 1 {
		t.Errorf("got %v and %d sessions left, want the locked one", err, n)
	}
}

func TestSweepForgetsRetiredTokens(t *testing.T) {
	s, pool := newStore(t)
	r := create(t, s, creation())
	commit(t, s, r.Token, &store.Change{RenewTo: newToken()})
	for _, left := range []int{1, 0} {
		_, err := s.Sweep(t.Context())
		if n := value[int](t, pool, "SELECT count(*) FROM session_retired"); err != nil || n != left {
			t.Errorf("retired tokens: got %d, %v, want %d", n, err, left)
		}
		exec(t, pool, "UPDATE session_retired SET until = now() - interval '1 second'")
	}
}

// Touches stay on their page and leave every index alone (HOT), which is what makes extending a session cheap.
func TestTouchesAreHOT(t *testing.T) {
	// A transaction that other tests have left open in another database would keep pages from being pruned, and so would
	// this store's own check of its listening connection.
	pool := pgtest.Connect(t, pgtest.New(t).Database(t))
	s := open(t, pool, &postgres.Options{NoListen: true, Logger: silent.Logger})
	exec(t, pool, "ALTER TABLE %s SET (autovacuum_enabled = off)")
	var tokens []store.Token
	for i := range 200 {
		tokens = append(tokens, create(t, s, creation(set("user", fmt.Sprint(i)))).Token)
	}
	for range 20 {
		for _, token := range tokens {
			commit(t, s, token, &store.Change{Touched: true})
		}
	}
	const want = 20 * 200
	pool.Reset() // a backend that ends reports its figures
	eventually(t, patience, "statistics", func(ctx context.Context) error {
		var all, hot int
		err := pool.QueryRow(ctx, "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'session_sessions'").Scan(&all, &hot)
		if err == nil && (all != want || hot != want) {
			err = fmt.Errorf("%d of %d updates were HOT, want all of %d", hot, all, want)
		}
		return err
	})
}

func TestLastSeenNeverMovesBack(t *testing.T) {
	s, pool := newStore(t)
	r := create(t, s, creation())
	// As if the row came from a database whose clock was ahead, before a failover.
	exec(t, pool, "UPDATE %s SET lapses = lapses + interval '1 minute'")
	before := value[time.Time](t, pool, "SELECT lapses FROM %s")
	commit(t, s, r.Token, &store.Change{Touched: true})
	commit(t, s, r.Token, &store.Change{Touched: true, Edits: []store.Edit{set("a", "1")}})
	if got := value[time.Time](t, pool, "SELECT lapses FROM %s"); !got.Equal(before) {
		t.Errorf("lapses: got %v, want %v as it was", got, before)
	}
}
