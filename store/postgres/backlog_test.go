package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

// sweepAll sweeps until there is a pause.
func sweepAll(t *testing.T, s *postgres.Store) {
	t.Helper()
	for {
		next, err := s.Sweep(t.Context())
		check(t, err)
		if next > 0 {
			return
		}
	}
}

// While an older transaction is open, removed rows stay in the index. The sweeper doesn't read them again for each
// batch.
func TestSweepReadsEachEntryOnce(t *testing.T) {
	const sessions = 60_000 // more than one search finds
	for name, due := range map[string]string{
		"due at one time":       "now() - interval '1 hour'",
		"due one after another": "now() - interval '1 hour' - random() * interval '1 hour'",
	} {
		t.Run(name, func(t *testing.T) {
			address := pgtest.Shared(t).Database(t)
			pool := pgtest.Connect(t, address)
			// Otherwise PostgreSQL may plan to read such a small table as a whole.
			sweeping := pgtest.Connect(t, address+"?enable_seqscan=off&enable_bitmapscan=off")
			s := open(t, sweeping, silent)
			exec(t, pool, "ALTER TABLE %s SET (autovacuum_enabled = off)")
			fillExpired(t, pool, sessions)
			exec(t, pool, "UPDATE %s SET due = "+due)
			exec(t, pool, "VACUUM ANALYZE %s")
			reader := begin(t, pool, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
				"SELECT count(*) FROM session_sessions")
			read := func() int {
				exec(t, pool, "SELECT pg_stat_force_next_flush()")
				return value[int](t, pool, "SELECT pg_stat_get_tuples_returned('session_due'::regclass)::int")
			}
			before := read()
			sweepAll(t, s)
			sweeping.Reset() // a backend reports its statistics when it ends
			eventually(t, patience, "statistics", func(context.Context) error {
				if n := read() - before; n < sessions {
					return fmt.Errorf("%d entries were read", n)
				}
				return nil
			})
			if n := read() - before; n > 2*sessions {
				t.Errorf("read %d entries of the index on due for %d sessions, want each once", n, sessions)
			}
			wantRows(t, pool, 0)
			check(t, reader.Commit(t.Context()))
		})
	}
}

// A sweep ends even if the network drops everything silently.
func TestSweepTimesOut(t *testing.T) {
	s, _, p, pool := proxied(t, "")
	sweepAll(t, s)
	postgres.SetSweepTime(s, 100*time.Millisecond)
	p.stopAfter(0)
	_, err := s.Sweep(t.Context())
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
	p.goOn()
	p.cut()
	pool.Reset()
	postgres.SetSweepTime(s, patience)
	sweepAll(t, s)
}

// If another server sweeps, the next search begins at the beginning.
func TestSweepAfterAnotherServer(t *testing.T) {
	s, pool := newStore(t)
	fillExpired(t, pool, 5)
	other := lockSweep(t, pool)
	sweepAll(t, s) // finds rows, but doesn't remove them
	check(t, other.Rollback(t.Context()))
	exec(t, pool, "UPDATE %s SET due = due - interval '1 day'")
	sweepAll(t, s)
	wantRows(t, pool, 0)
}

// A search begins where the last one ended. After a minute it begins at the beginning.
func TestSweepSearchesAgainFromTheBeginning(t *testing.T) {
	s, pool := newStore(t)
	fillExpired(t, pool, 5)
	sweepAll(t, s)
	fillExpired(t, pool, 5)
	exec(t, pool, "UPDATE %s SET due = due - interval '1 day'")
	sweepAll(t, s)
	wantRows(t, pool, 5)
	postgres.AgeBacklog(s)
	sweepAll(t, s)
	wantRows(t, pool, 0)
}

// Another program may write a very long owner into a row. Its session can still be renewed, ended and swept.
func TestVeryLongOwner(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	pool := pgtest.Connect(t, address)
	a, b := open(t, pool, silent), open(t, pgtest.Connect(t, address), silent)
	d := keepDiary(t, b)
	owner := strings.Repeat("x", 9000)
	long := func() *store.Record {
		r := create(t, a, creation())
		exec(t, pool, "UPDATE %s SET owner = $1 WHERE id = $2", owner, r.ID.String())
		return r
	}
	renewed, ended, endedAll, swept := long(), long(), long(), long()
	ends := func(r *store.Record, why store.Reason) store.Event {
		return store.Event{Kind: store.Ended, ID: r.ID, Reason: why}
	}

	commit(t, a, renewed.Token, &store.Change{RenewTo: newToken()})
	want := []store.Event{{Kind: store.Renewed, ID: renewed.ID}}
	for _, r := range []*store.Record{renewed, ended} {
		check(t, a.End(t.Context(), r.ID, store.LoggedOut))
		want = append(want, ends(r, store.LoggedOut))
	}
	exec(t, pool, "UPDATE %s SET lapses = now() - interval '1 hour', due = now() - interval '1 hour' WHERE id = $1",
		swept.ID.String())
	sweepAll(t, a)
	want = append(want, ends(swept, store.Expired))
	if n, err := a.EndOwner(t.Context(), owner, nil, store.Revoked); n != 1 || err != nil {
		t.Errorf("EndOwner: got %d, %v, want 1", n, err)
	}
	d.wait(t, patience, append(want, ends(endedAll, store.Revoked))...)
}
