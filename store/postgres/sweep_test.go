package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
)

// fillExpired inserts n sessions of ann into the database, which expired an hour ago.
func fillExpired(t *testing.T, pool *pgxpool.Pool, n int) {
	t.Helper()
	exec(t, pool, `INSERT INTO %s
	(created, lapses, ends, due, idle, id, version, persistent, token, owner, labels, data)
SELECT seen, seen + interval '1 hour', seen + interval '1 day', seen + interval '1 hour', 3600000000, gen_random_uuid(),
	1, false, sha256(gen_random_uuid()::text::bytea), 'ann', '{}', '{}'
FROM generate_series(1, $1), (SELECT now() - interval '2 hours' AS seen) AS s`, n)
}

// lockSweep returns a transaction that has the lock of the sweepers, like a server that sweeps.
func lockSweep(t *testing.T, pool *pgxpool.Pool) pgx.Tx {
	t.Helper()
	return begin(t, pool, "SELECT pg_advisory_xact_lock(hashtextextended('public.session.events/sweep', 0))")
}

func TestSweepRemovesInBatches(t *testing.T) {
	s, pool := newStore(t)
	alive := create(t, s, creation())
	fillExpired(t, pool, 2500)
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
	eventually(t, patience, "all ends are reported", func(context.Context) error {
		if n := d.count(store.Ended); n != 2500 {
			return fmt.Errorf("got %d, want 2500", n)
		}
		return nil
	})
	all := d.all()
	if len(all) != 2500 || all[0].Kind != store.Ended || all[0].Reason != store.Expired || all[0].Owner != "ann" {
		t.Errorf("got %d events, the first %+v, want 2500 of expired sessions of ann", len(all), all[:1])
	}
}

// A session may have been used since it was due. The sweep sets its due to its end, and doesn't write it in each pass.
func TestSweepDefersLiveSession(t *testing.T) {
	s, pool := newStore(t)
	r := create(t, s, creation())
	exec(t, pool, "UPDATE %s SET due = now() - interval '1 minute'")
	check(t, errOf(s.Sweep(t.Context())))
	off := value[float64](t, pool, "SELECT extract(epoch FROM due - lapses)::float8 FROM %s")
	if off < 0 || off > 1 {
		t.Errorf("due %v s after the session's end, want 0 to 1", off)
	}
	before := value[string](t, pool, "SELECT ctid::text FROM %s")
	check(t, errOf(s.Sweep(t.Context())))
	if got := value[string](t, pool, "SELECT ctid::text FROM %s"); got != before {
		t.Error("a second pass wrote the row again")
	}
	load(t, s, r.Token)
}

// One of two servers sweeps. The other does nothing, and doesn't wait.
func TestSweepByOneServer(t *testing.T) {
	s, pool := newStore(t)
	fillExpired(t, pool, 10)
	other := lockSweep(t, pool)
	next, err := s.Sweep(t.Context())
	if err != nil || next == 0 {
		t.Errorf("while the other sweeps: got %v, %v, want a pause and no error", next, err)
	}
	wantRows(t, pool, 10)
	check(t, other.Rollback(t.Context()))
	check(t, errOf(s.Sweep(t.Context())))
	wantRows(t, pool, 0)
}

// A sweep doesn't wait for rows that are in use.
func TestSweepSkipsLockedRows(t *testing.T) {
	s, pool := newStore(t)
	fillExpired(t, pool, 3)
	tx := begin(t, pool, "SELECT FROM session_sessions LIMIT 1 FOR UPDATE")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	check(t, errOf(s.Sweep(ctx)))
	wantRows(t, pool, 1)
	check(t, tx.Rollback(t.Context()))
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

// Touches are HOT updates: they stay on their page and write to no index. That makes them cheap.
func TestTouchesAreHOT(t *testing.T) {
	// Open transactions keep pages from being pruned: those of other tests in other databases, and the check of a
	// connection for events.
	pool := pgtest.Connect(t, pgtest.New(t).Database(t))
	s := open(t, pool, noListen)
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
	pool.Reset() // a backend reports its statistics when it ends
	eventually(t, patience, "statistics", func(ctx context.Context) error {
		var all, hot int
		err := pool.QueryRow(ctx, "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables"+
			" WHERE relname = 'session_sessions'").Scan(&all, &hot)
		if err == nil && (all != want || hot != want) {
			err = fmt.Errorf("%d of %d updates were HOT, want all of %d", hot, all, want)
		}
		return err
	})
}

func TestLastSeenNeverMovesBack(t *testing.T) {
	s, pool := newStore(t)
	r := create(t, s, creation())
	// A row may come from a database whose clock was ahead, before a failover.
	exec(t, pool, "UPDATE %s SET lapses = lapses + interval '1 minute'")
	before := value[time.Time](t, pool, "SELECT lapses FROM %s")
	commit(t, s, r.Token, &store.Change{Touched: true})
	commit(t, s, r.Token, &store.Change{Touched: true, Edits: []store.Edit{set("a", "1")}})
	if got := value[time.Time](t, pool, "SELECT lapses FROM %s"); !got.Equal(before) {
		t.Errorf("lapses: got %v, want %v as it was", got, before)
	}
}
