package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

// end ends a connection at the server.
func end(t *testing.T, admin *pgxpool.Pool, pid uint32) {
	t.Helper()
	exec(t, admin, "SELECT pg_terminate_backend($1)", pid)
	waitForEnd(t, admin, pid)
}

func waitForEnd(t *testing.T, admin *pgxpool.Pool, pid uint32) {
	t.Helper()
	eventually(t, patience, "the connection has ended", func(context.Context) error {
		if value[bool](t, admin, isThere, pid) {
			return errors.New("it is there")
		}
		return nil
	})
}

// endAtDelete makes each connection end at the server when it deletes sessions, though there be none.
func endAtDelete(t *testing.T, admin *pgxpool.Pool) {
	t.Helper()
	exec(t, admin, `CREATE FUNCTION fall() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'`)
	exec(t, admin, "CREATE TRIGGER fall BEFORE DELETE ON %s EXECUTE FUNCTION fall()")
}

// A lost connection resets the pool, whichever statement meets it.
func TestEveryLostConnectionResetsPool(t *testing.T) {
	ok := func(_ any, err error) error { return err }
	for name, call := range map[string]func(ctx context.Context, s *postgres.Store) error{
		"Load": func(ctx context.Context, s *postgres.Store) error { return ok(s.Load(ctx, newToken())) },
		"Commit without a record": func(ctx context.Context, s *postgres.Store) error {
			return ok(s.Commit(ctx, newToken(), &store.Change{NoRecord: true, Touched: true}))
		},
		"Commit under a limit": func(ctx context.Context, s *postgres.Store) error {
			return ok(s.Commit(ctx, newToken(), &store.Change{Owner: new("ann"), MaxPerOwner: 1}))
		},
		"End": func(ctx context.Context, s *postgres.Store) error { return s.End(ctx, newID(), store.Revoked) },
		"EndOwner": func(ctx context.Context, s *postgres.Store) error {
			return ok(s.EndOwner(ctx, "ann", nil, store.Revoked))
		},
		"List": func(ctx context.Context, s *postgres.Store) error {
			for _, err := range s.List(ctx, store.Filter{All: true}) {
				return err
			}
			return nil
		},
		"Sweep": func(ctx context.Context, s *postgres.Store) error { return ok(s.Sweep(ctx)) },
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

// A creation that is refused removes what has expired and stands in its way. The connection is lost there.
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

// The connection that a load is tried again on is a new one, and stays.
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

// A statement that ends sessions may have ended them although its answer is lost. One that only searches has not.
func TestMissedWhereManyMayHaveEnded(t *testing.T) {
	ok := func(_ any, err error) error { return err }
	sweep := func(ctx context.Context, s *postgres.Store) error { return ok(s.Sweep(ctx)) }
	for _, tt := range []struct {
		name    string
		expired int
		call    func(ctx context.Context, s *postgres.Store) error
		want    int
	}{
		{"a batch of the sweeper", 1, sweep, 1},
		{"the sweeper's search", 0, sweep, 0},
		{"all sessions of an owner", 0, func(ctx context.Context, s *postgres.Store) error {
			return ok(s.EndOwner(ctx, "ann", nil, store.Revoked))
		}, 1},
		{"those beyond a limit", 0, func(ctx context.Context, s *postgres.Store) error {
			c := creation()
			c.Owner, c.MaxPerOwner = new("ann"), 1
			return ok(s.Commit(ctx, newToken(), c))
		}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _, admin, next, _ := twoIdle(t)
			fillSessions(t, s, tt.expired, 2*time.Hour, func(sql string, args ...any) { exec(t, admin, sql, args...) })
			endAtDelete(t, admin)
			if tt.want == 0 {
				end(t, admin, next)
			}
			d := keepDiary(t, s)
			t.Logf("it got: %v", tt.call(t.Context(), s))
			if n := d.missed(); n != tt.want {
				t.Errorf("told %d times that events may be missing, want %d times: %+v", n, tt.want, d.all())
			}
		})
	}
}
