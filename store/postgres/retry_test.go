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

// begin returns a transaction that goes with the test.
func begin(t *testing.T, pool *pgxpool.Pool, statements ...string) pgx.Tx {
	t.Helper()
	tx, err := pool.Begin(t.Context())
	check(t, err)
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) }) // most have ended by then
	for _, sql := range statements {
		_, err := tx.Exec(t.Context(), sql)
		check(t, err)
	}
	return tx
}

// waitForWaiting returns when so many of the database's backends wait for a lock.
func waitForWaiting(t *testing.T, pool *pgxpool.Pool, want int) {
	t.Helper()
	eventually(t, patience, fmt.Sprintf("%d wait for a lock", want), func(ctx context.Context) error {
		var n int
		err := pool.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&n)
		if err == nil && n != want {
			err = fmt.Errorf("%d wait", n)
		}
		return err
	})
}

// PostgreSQL resolves a deadlock by undoing one transaction. Where that is a commit's, the visitor sees nothing of it.
func TestCommitAgainAfterDeadlock(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	pool := pgtest.Connect(t, address)
	// The first to look for a deadlock is undone: the store.
	s, tr := tracedStoreOn(t, address+"?deadlock_timeout=10ms")
	const patient = "SET LOCAL deadlock_timeout = '1h'"

	old := creation()
	old.Owner = new("ann")
	oldest := create(t, s, old)
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
		_, err := s.Commit(t.Context(), r.Token, &store.Change{RenewTo: next, Owner: new("ann"), MaxPerOwner: 1, Edits: []store.Edit{add("n", 1)}})
		done <- err
	}()
	waitForWaiting(t, pool, 1)
	go func() { // it has the row of ann's oldest session, and waits for ann's lock
		_, err := other.Exec(t.Context(), "SELECT pg_advisory_xact_lock(hashtextextended('public.session.events/owner/ann', 0))")
		done <- errors.Join(err, other.Commit(t.Context()))
	}()
	waitForWaiting(t, pool, 2)
	check(t, gate.Commit(t.Context())) // now the store wants the row of the oldest
	for range cap(done) {
		check(t, <-done)
	}
	if sent := strings.Join(tr.take(), "\n"); strings.Count(sent, "UPDATE \"") != 2 {
		t.Errorf("want a second try after the deadlock:\n%s", sent)
	}
	if n := counted(t, s, next); n != "1" {
		t.Errorf("counted %s times, want once", n)
	}
	if _, err := s.Load(t.Context(), oldest.Token); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the oldest session: got %v, want %v", err, store.ErrNotFound)
	}
}

// The row of an expired session doesn't prevent a new session with its token or ID.
func TestCreateOverRemains(t *testing.T) {
	s, pool := newStore(t)
	const lapse = "UPDATE %s SET lapses = now() - interval '1 second' WHERE id = $1"
	for name, over := range map[string]func(c *store.Change, remains *store.Record) store.Token{
		"of its token":             func(_ *store.Change, remains *store.Record) store.Token { return remains.Token },
		"of its id":                func(c *store.Change, remains *store.Record) store.Token { c.ID = remains.ID; return newToken() },
		"of the token it gets":     func(c *store.Change, remains *store.Record) store.Token { c.RenewTo = remains.Token; return newToken() },
		"of the token it gives up": func(c *store.Change, remains *store.Record) store.Token { c.RenewTo = newToken(); return remains.Token },
	} {
		remains := create(t, s, creation(set("a", `"old"`)))
		c := creation(set("b", `"new"`))
		token := over(c, remains)
		if _, err := s.Commit(t.Context(), token, c); !errors.Is(err, store.ErrConflict) {
			t.Errorf("over a live session %s: got %v, want %v", name, err, store.ErrConflict)
		}
		load(t, s, remains.Token)
		exec(t, pool, lapse, remains.ID.String())
		r := commit(t, s, token, c)
		if got := load(t, s, r.Token); got.ID != c.ID || got.Values != r.Values || got.Values.Len() != 1 {
			t.Errorf("over remains %s: got %+v, want the new session alone", name, got)
		}
	}
}

// A session may be renewed by the change that makes it.
func TestCreateWithRenewal(t *testing.T) {
	for _, limit := range []int{0, 2} {
		s, _ := newStore(t)
		d := keepDiary(t, s)
		token := newToken()
		c := creation(set("a", "1"))
		c.RenewTo, c.Owner, c.MaxPerOwner = newToken(), new("ann"), limit
		r := commit(t, s, token, c)
		if r.Token != c.RenewTo || r.Version != 1 || r.Owner != "ann" {
			t.Errorf("got %+v, want the new token, version 1 and ann as its owner", r)
		}
		if got := load(t, s, c.RenewTo); got.ID != c.ID || got.Values != r.Values {
			t.Errorf("under the new token: got %+v, want %+v", got, r)
		}
		if _, err := s.Load(t.Context(), token); !errors.Is(err, store.ErrRetired) {
			t.Errorf("under the old token: got %v, want %v", err, store.ErrRetired)
		}
		d.wait(t, patience, store.Event{Kind: store.Created, ID: c.ID, Owner: "ann"}, store.Event{Kind: store.Renewed, ID: c.ID, Owner: "ann"})

		same := creation()
		same.RenewTo = newToken()
		if _, err := s.Commit(t.Context(), same.RenewTo, same); !errors.Is(err, store.ErrConflict) {
			t.Errorf("renewed to the same token: got %v, want %v", err, store.ErrConflict)
		}
	}
}

// A store that was opened when statements had read committed finds out when they no longer have.
func TestCommitAgainAfterIsolationChanges(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	admin := pgtest.Connect(t, address)
	pool := pgtest.Connect(t, address)
	s := open(t, pool, silent)
	r := create(t, s, creation())
	exec(t, admin, "ALTER DATABASE "+admin.Config().ConnConfig.Database+" SET default_transaction_isolation = 'repeatable read'")
	pool.Reset()

	gate := begin(t, admin, "UPDATE session_sessions SET version = version + 1")
	done := make(chan error)
	go func() {
		_, err := s.Commit(t.Context(), r.Token, &store.Change{Edits: []store.Edit{add("n", 1)}})
		done <- err
	}()
	waitForWaiting(t, admin, 1)
	check(t, gate.Commit(t.Context())) // what the commit saw is old now, which repeatable read does not forgive
	check(t, <-done)
	if n := counted(t, s, r.Token); n != "1" {
		t.Errorf("counted %s times, want once", n)
	}
}
