package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
)

// counted returns the counter n of a session.
func counted(t *testing.T, s store.Store, token store.Token) (n string) {
	n, _ = load(t, s, token).Values.Get("n")
	return n
}

// The commit is applied, but its answer is lost.
func TestOutcomeUnknown(t *testing.T) {
	for _, mode := range []string{"cache_statement", "cache_describe", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) { testOutcomeUnknown(t, "?default_query_exec_mode="+mode) })
	}
}

func testOutcomeUnknown(t *testing.T, options string) {
	s, direct, p, _ := proxied(t, options)
	for _, tt := range []struct {
		name   string
		change *store.Change
	}{
		{"an addition", &store.Change{Edits: []store.Edit{add("n", 1)}}},
		{"an addition without a record", &store.Change{NoRecord: true, Edits: []store.Edit{add("n", 1)}}},
		{"a renewal", &store.Change{RenewTo: newToken(), Edits: []store.Edit{add("n", 1)}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := create(t, s, creation())
			commit(t, s, r.Token, &store.Change{Edits: []store.Edit{set("warm", "1")}})
			_, _ = s.Commit(t.Context(), newToken(), tt.change) // prepares the statement
			p.dropAfter(0)
			_, err := s.Commit(t.Context(), r.Token, tt.change)
			if !errors.Is(err, store.ErrOutcomeUnknown) {
				t.Fatalf("got %v, want %v", err, store.ErrOutcomeUnknown)
			}
			token := r.Token
			if tt.change.RenewTo != (store.Token{}) {
				token = tt.change.RenewTo
			}
			if n := counted(t, direct, token); n != "1" {
				t.Errorf("n is %q, want 1", n)
			}
			load(t, s, token) // on a new connection
		})
	}
	t.Run("a login under a limit", func(t *testing.T) {
		// The test loses each of the answers in turn. The commit is applied as a whole or not at all, and its error says
		// whether it may have been applied.
		for lost := range 12 {
			r := create(t, s, creation())
			next := newToken()
			p.dropAfter(int32(lost))
			_, err := s.Commit(t.Context(), r.Token, &store.Change{
				RenewTo: next, Owner: new("ann"), MaxPerOwner: 1, Edits: []store.Edit{add("n", 1)},
			})
			p.dropAfter(never)
			_, loadErr := direct.Load(t.Context(), next)
			applied := loadErr == nil
			unknown := errors.Is(err, store.ErrOutcomeUnknown)
			if err == nil && !applied || err != nil && !unknown && applied {
				t.Errorf("answer %d lost: got %v, and applied is %v", lost, err, applied)
			}
			if applied && counted(t, direct, next) != "1" {
				t.Errorf("answer %d lost: n is %q, want 1", lost, counted(t, direct, next))
			}
		}
	})
}

// The answer to a commit doesn't come in time.
func TestOutcomeUnknownAfterTimeout(t *testing.T) {
	s, direct, p, _ := proxied(t, "")
	r := create(t, s, creation())
	change := &store.Change{Edits: []store.Edit{add("n", 1)}}
	commit(t, s, r.Token, change)
	p.mute.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error)
	go func() { done <- errOf(s.Commit(ctx, r.Token, change)) }()
	eventually(t, patience, "the commit is applied", func(context.Context) error {
		if n := counted(t, direct, r.Token); n != "2" {
			return errors.New("n is " + n)
		}
		return nil
	})
	cancel()
	err := <-done
	if !errors.Is(err, store.ErrOutcomeUnknown) {
		t.Errorf("got %v, want %v", err, store.ErrOutcomeUnknown)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := s.Load(ctx, r.Token); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load from a silent server: got %v, want another error", err)
	}
	p.mute.Store(false)
	p.cut()
	eventually(t, patience, "loads work again", func(ctx context.Context) error {
		return errOf(s.Load(ctx, r.Token))
	})
}

// A load on a dead connection tries again, and succeeds.
func TestLoadOverDeadConnection(t *testing.T) {
	s, _, p, _ := proxied(t, "?pool_max_conns=1")
	r := create(t, s, creation())
	load(t, s, r.Token)
	p.cut()
	load(t, s, r.Token)
	p.dropAfter(0)
	load(t, s, r.Token)
}

// The outcome of a commit that was certainly not applied is known.
func TestOutcomeKnown(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	pool := pgtest.Connect(t, address+"?pool_max_conns=1")
	s := open(t, pool, silent)
	r := create(t, s, creation(set("a", `"x"`)))
	change := &store.Change{Edits: []store.Edit{add("n", 1)}}
	wantKnown := func(t *testing.T, name string, err error) {
		t.Helper()
		if err == nil || errors.Is(err, store.ErrOutcomeUnknown) {
			t.Errorf("%s: got %v, want an error with a known outcome", name, err)
		}
	}
	sure := func(t *testing.T, name string, c *store.Change, ctx context.Context) {
		t.Helper()
		wantKnown(t, name, errOf(s.Commit(ctx, r.Token, c)))
	}
	t.Run("refused by the server", func(t *testing.T) {
		exec(t, pool, "ALTER TABLE %s ADD CONSTRAINT never CHECK (version < 2)")
		sure(t, "a constraint", change, t.Context())
		exec(t, pool, "ALTER TABLE %s DROP CONSTRAINT never")
	})
	t.Run("cancelled before it was sent", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		sure(t, "cancelled", change, ctx)
	})
	t.Run("no connection in time", func(t *testing.T) {
		conn, err := pool.Acquire(t.Context()) // the only one
		check(t, err)
		defer conn.Release()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		sure(t, "an addition", change, ctx)
		sure(t, "a login under a limit", &store.Change{Owner: new("ann"), MaxPerOwner: 1}, ctx)
	})
	t.Run("closed pool", func(t *testing.T) {
		other := pgtest.Connect(t, address)
		o := open(t, other, noListen)
		other.Close()
		wantKnown(t, "an addition", errOf(o.Commit(t.Context(), r.Token, change)))
	})
	if n := counted(t, s, r.Token); n != "" {
		t.Errorf("n is %s, want no value", n)
	}
}

// A read-only database refuses commits with a known outcome, and answers loads. When it is no longer read-only, the
// second commit works at the latest.
func TestReadOnlyDatabase(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	pool, admin := pgtest.Connect(t, address), pgtest.Connect(t, address)
	s := open(t, pool, silent)
	r := create(t, s, creation())

	alterDatabase(t, admin, "SET default_transaction_read_only = on")
	pool.Reset() // as after a failover: new connections to a read-only server
	for what, err := range map[string]error{
		"commit":   errOf(s.Commit(t.Context(), r.Token, &store.Change{Touched: true})),
		"create":   errOf(s.Commit(t.Context(), newToken(), creation())),
		"end":      s.End(t.Context(), r.ID, store.LoggedOut),
		"endOwner": errOf(s.EndOwner(t.Context(), "ann", nil, store.Revoked)),
		"sweep":    errOf(s.Sweep(t.Context())),
	} {
		var pg *pgconn.PgError
		if what == "endOwner" && err == nil {
			continue // PostgreSQL may find out first that there is no row to delete
		}
		if !errors.As(err, &pg) || pg.Code != "25006" || errors.Is(err, store.ErrOutcomeUnknown) {
			t.Errorf("%s: got %v, want SQLSTATE 25006 and a known outcome", what, err)
		}
	}
	load(t, s, r.Token)

	alterDatabase(t, admin, "RESET default_transaction_read_only")
	// The load has made a new connection before this. The first refused commit resets the pool.
	_, err := s.Commit(t.Context(), r.Token, &store.Change{Touched: true})
	t.Logf("the first commit: %v", err)
	commit(t, s, r.Token, &store.Change{Touched: true})
	check(t, s.End(t.Context(), r.ID, store.LoggedOut))
}

// A loop over a list holds no connection of the pool while its body runs.
func TestListHoldsNoConnection(t *testing.T) {
	pool := pgtest.Connect(t, pgtest.Shared(t).Database(t)+"?pool_max_conns=1")
	s := open(t, pool, silent)
	const n = 250 // more than two pages
	for range n {
		create(t, s, login("ann", 0))
	}
	for _, f := range []store.Filter{{All: true}, {Owner: "ann"}} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		seen := map[store.ID]bool{}
		for r, err := range s.List(ctx, f) {
			check(t, err)
			if seen[r.ID] {
				t.Fatalf("List yields %v twice", r.ID)
			}
			seen[r.ID] = true
			if _, err := s.Load(ctx, r.Token); err != nil {
				t.Fatalf("in the loop: %v", err)
			}
		}
		cancel()
		if len(seen) != n {
			t.Errorf("List %+v: got %d sessions, want %d", f, len(seen), n)
		}
	}
}
