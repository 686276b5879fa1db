package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
)

// begin returns a transaction after some statements. It is rolled back at the end of the test.
func begin(t *testing.T, pool *pgxpool.Pool, statements ...string) pgx.Tx {
	t.Helper()
	tx, err := pool.Begin(t.Context())
	check(t, err)
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) }) // an error if it has ended before
	for _, sql := range statements {
		_, err := tx.Exec(t.Context(), sql)
		check(t, err)
	}
	return tx
}

// waitForWaiting waits until a number of the database's processes wait for a lock.
func waitForWaiting(t *testing.T, pool *pgxpool.Pool, want int) {
	t.Helper()
	eventually(t, patience, fmt.Sprintf("%d wait for a lock", want), func(ctx context.Context) error {
		var n int
		err := pool.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity"+
			" WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&n)
		if err == nil && n != want {
			err = fmt.Errorf("%d wait", n)
		}
		return err
	})
}

// PostgreSQL resolves a deadlock by undoing one transaction. If that is the one of a commit, the store tries again.
func TestCommitAgainAfterDeadlock(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	pool := pgtest.Connect(t, address)
	// PostgreSQL undoes the first transaction that looks for a deadlock. The timeouts make that the store's.
	s, tr := tracedStoreOn(t, address+"?deadlock_timeout=10ms")
	const patient = "SET LOCAL deadlock_timeout = '1h'"

	oldest := create(t, s, login("ann", 0))
	r := create(t, s, creation())
	lockRow := func(r *store.Record) string {
		return fmt.Sprintf("SELECT FROM session_sessions WHERE id = '%v' FOR UPDATE", r.ID)
	}
	gate := begin(t, pool, lockRow(r))
	other := begin(t, pool, patient, lockRow(oldest))

	done := make(chan error, 2)
	next := newToken()
	tr.take()
	go func() { // it has ann's lock, and waits for the gate
		c := &store.Change{RenewTo: next, Owner: new("ann"), MaxPerOwner: 1, Edits: []store.Edit{add("n", 1)}}
		done <- errOf(s.Commit(t.Context(), r.Token, c))
	}()
	waitForWaiting(t, pool, 1)
	go func() { // it has the row of ann's oldest session, and waits for ann's lock
		const lockAnn = "SELECT pg_advisory_xact_lock(hashtextextended('public.session.events/owner/ann', 0))"
		done <- errors.Join(errOf(other.Exec(t.Context(), lockAnn)), other.Commit(t.Context()))
	}()
	waitForWaiting(t, pool, 2)
	check(t, gate.Commit(t.Context())) // now the store waits for the row of the oldest session
	for range cap(done) {
		check(t, <-done)
	}
	if sent := strings.Join(tr.take(), "\n"); strings.Count(sent, "UPDATE \"") != 2 {
		t.Errorf("want a second try after the deadlock:\n%s", sent)
	}
	if n := counted(t, s, next); n != "1" {
		t.Errorf("counted %s times, want once", n)
	}
	wantLoadError(t, s, oldest.Token, store.ErrNotFound)
}

// The row of an expired session doesn't prevent a new session with its token or ID.
func TestCreateOverExpiredRow(t *testing.T) {
	s, pool := newStore(t)
	const lapse = "UPDATE %s SET lapses = now() - interval '1 second' WHERE id = $1"
	for name, change := range map[string]func(c *store.Change, token *store.Token, old *store.Record){
		"its token":         func(_ *store.Change, token *store.Token, old *store.Record) { *token = old.Token },
		"its id":            func(c *store.Change, _ *store.Token, old *store.Record) { c.ID = old.ID },
		"the token it gets": func(c *store.Change, _ *store.Token, old *store.Record) { c.RenewTo = old.Token },
		"the token it retires": func(c *store.Change, token *store.Token, old *store.Record) {
			c.RenewTo, *token = newToken(), old.Token
		},
	} {
		old := create(t, s, creation(set("a", `"old"`)))
		c, token := creation(set("b", `"new"`)), newToken()
		change(c, &token, old)
		if _, err := s.Commit(t.Context(), token, c); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a live session has %s: got %v, want %v", name, err, store.ErrConflict)
		}
		load(t, s, old.Token)
		exec(t, pool, lapse, old.ID.String())
		r := commit(t, s, token, c)
		if got := load(t, s, r.Token); got.ID != c.ID || got.Values != r.Values || got.Values.Len() != 1 {
			t.Errorf("an expired row has %s: got %+v, want only the new session", name, got)
		}
	}
}

// A change may both create and renew a session.
func TestCreateWithRenewal(t *testing.T) {
	for _, limit := range []int{0, 2} {
		s, _ := newStore(t)
		d := keepDiary(t, s)
		token := newToken()
		c := login("ann", limit, set("a", "1"))
		c.RenewTo = newToken()
		r := commit(t, s, token, c)
		if r.Token != c.RenewTo || r.Version != 1 || r.Owner != "ann" {
			t.Errorf("got %+v, want the new token, version 1 and ann as its owner", r)
		}
		if got := load(t, s, c.RenewTo); got.ID != c.ID || got.Values != r.Values {
			t.Errorf("under the new token: got %+v, want %+v", got, r)
		}
		wantLoadError(t, s, token, store.ErrRetired)
		d.wait(t, patience, store.Event{Kind: store.Created, ID: c.ID, Owner: "ann"},
			store.Event{Kind: store.Renewed, ID: c.ID, Owner: "ann"})

		same := creation()
		same.RenewTo = newToken()
		if _, err := s.Commit(t.Context(), same.RenewTo, same); !errors.Is(err, store.ErrConflict) {
			t.Errorf("renewed to the same token: got %v, want %v", err, store.ErrConflict)
		}
	}
}

// If the default isolation changes after Open, the store finds out from an error and tries again.
func TestCommitAgainAfterIsolationChanges(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	admin := pgtest.Connect(t, address)
	pool := pgtest.Connect(t, address)
	s := open(t, pool, silent)
	r := create(t, s, creation())
	alterDatabase(t, admin, "SET default_transaction_isolation = 'repeatable read'")
	pool.Reset()

	gate := begin(t, admin, "UPDATE session_sessions SET version = version + 1")
	done := make(chan error)
	go func() {
		done <- errOf(s.Commit(t.Context(), r.Token, &store.Change{Edits: []store.Edit{add("n", 1)}}))
	}()
	waitForWaiting(t, admin, 1)
	check(t, gate.Commit(t.Context())) // the row has changed, which is an error at repeatable read
	check(t, <-done)
	if n := counted(t, s, r.Token); n != "1" {
		t.Errorf("counted %s times, want once", n)
	}
}
