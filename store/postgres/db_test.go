package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

// end ends a connection on the server's side.
func end(t *testing.T, admin *pgxpool.Pool, pid uint32) {
	t.Helper()
	exec(t, admin, "SELECT pg_terminate_backend($1)", pid)
	waitForEnd(t, admin, pid)
}

// waitForEnd waits until the server's process of a connection has ended.
func waitForEnd(t *testing.T, admin *pgxpool.Pool, pid uint32) {
	t.Helper()
	eventually(t, patience, "the connection has ended", func(context.Context) error {
		if value[bool](t, admin, "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $1", pid) {
			return errors.New("it is still open")
		}
		return nil
	})
}

// endAtDelete makes the server end each connection that sends a DELETE of sessions, even if it deletes none.
func endAtDelete(t *testing.T, admin *pgxpool.Pool) {
	t.Helper()
	exec(t, admin, `CREATE FUNCTION fall() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'`)
	exec(t, admin, "CREATE TRIGGER fall BEFORE DELETE ON %s EXECUTE FUNCTION fall()")
}

// Any statement that loses its connection resets the pool, since after a failover all connections lead to the old
// primary.
func TestLostConnectionResetsPool(t *testing.T) {
	for name, call := range map[string]func(ctx context.Context, s *postgres.Store) error{
		"Load": func(ctx context.Context, s *postgres.Store) error { return errOf(s.Load(ctx, newToken())) },
		"Commit": func(ctx context.Context, s *postgres.Store) error {
			return errOf(s.Commit(ctx, newToken(), creation()))
		},
		"Commit without a record": func(ctx context.Context, s *postgres.Store) error {
			return errOf(s.Commit(ctx, newToken(), &store.Change{NoRecord: true, Touched: true}))
		},
		"Commit under a limit": func(ctx context.Context, s *postgres.Store) error {
			return errOf(s.Commit(ctx, newToken(), &store.Change{Owner: new("ann"), MaxPerOwner: 1}))
		},
		"End": func(ctx context.Context, s *postgres.Store) error { return s.End(ctx, newID(), store.Revoked) },
		"EndOwner": func(ctx context.Context, s *postgres.Store) error {
			return errOf(s.EndOwner(ctx, "ann", nil, store.Revoked))
		},
		"List": func(ctx context.Context, s *postgres.Store) error {
			for _, err := range s.List(ctx, store.Filter{All: true}) {
				return err
			}
			return nil
		},
		"Sweep": func(ctx context.Context, s *postgres.Store) error { return errOf(s.Sweep(ctx)) },
		"Ping":  func(ctx context.Context, s *postgres.Store) error { return s.Ping(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			s, _, admin, next, other := twoIdle(t)
			end(t, admin, next)
			t.Logf("it got: %v", call(t.Context(), s))
			waitForEnd(t, admin, other)
		})
	}
}

// A refused creation removes expired rows with its token or ID, in a second statement. This one loses its connection.
func TestLostConnectionInSecondStatementResetsPool(t *testing.T) {
	s, _, admin, _, other := twoIdle(t)
	r := create(t, s, creation())
	endAtDelete(t, admin)
	again := creation()
	again.ID = r.ID
	if _, err := s.Commit(t.Context(), newToken(), again); !errors.Is(err, store.ErrConflict) {
		t.Errorf("an ID that is taken: got %v, want %v", err, store.ErrConflict)
	}
	waitForEnd(t, admin, other)
}

// The second try of a load uses a new connection, which stays in the pool.
func TestLostConnectionResetsPoolOnce(t *testing.T) {
	s, pool, admin, next, _ := twoIdle(t)
	r := create(t, s, creation())
	made := pool.Stat().NewConnsCount()
	end(t, admin, next)
	for range 3 {
		load(t, s, r.Token)
	}
	if n := pool.Stat().NewConnsCount() - made; n != 1 {
		t.Errorf("got %d new connections, want 1", n)
	}
}

// A statement that ends sessions may have ended them even if its answer is lost. So Missed is reported, but not for a
// statement that only searches.
func TestMissedAfterLostEnds(t *testing.T) {
	sweep := func(ctx context.Context, s *postgres.Store) error { return errOf(s.Sweep(ctx)) }
	for _, tt := range []struct {
		name    string
		expired int
		call    func(ctx context.Context, s *postgres.Store) error
		want    int
	}{
		{"a batch of the sweeper", 1, sweep, 1},
		{"the sweeper's search", 0, sweep, 0},
		{"all sessions of an owner", 0, func(ctx context.Context, s *postgres.Store) error {
			return errOf(s.EndOwner(ctx, "ann", nil, store.Revoked))
		}, 1},
		{"sessions beyond a limit", 0, func(ctx context.Context, s *postgres.Store) error {
			return errOf(s.Commit(ctx, newToken(), login("ann", 1)))
		}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _, admin, next, _ := twoIdle(t)
			fillExpired(t, admin, tt.expired)
			endAtDelete(t, admin)
			if tt.want == 0 {
				end(t, admin, next)
			}
			d := keepDiary(t, s)
			t.Logf("it got: %v", tt.call(t.Context(), s))
			if n := d.missed(); n != tt.want {
				t.Errorf("got %d Missed events, want %d: %+v", n, tt.want, d.all())
			}
		})
	}
}
