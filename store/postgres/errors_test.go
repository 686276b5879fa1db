package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

func TestErrorClasses(t *testing.T) {
	code := func(code string) error { return fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code}) }
	for _, tt := range []struct {
		name          string
		err           error
		lost, unknown bool
	}{
		{"none", nil, false, false},
		{"no row", pgx.ErrNoRows, false, false},
		{"the answer is lost", io.ErrUnexpectedEOF, true, true},
		{"no answer in time", context.DeadlineExceeded, true, true},
		{"shut down by an operator", code("57P01"), true, true},
		{"shut down by a crash", code("57P02"), true, true},
		{"starting up", code("57P03"), true, false},
		{"connection failure", code("08006"), true, true},
		{"a deadlock", code("40P01"), false, false},
		{"read-only", code("25006"), false, false},
		{"closed before", pgconn.ErrConnClosed, true, true},
	} {
		if got := postgres.ConnectionLost(tt.err); got != tt.lost {
			t.Errorf("%s: the connection is lost: got %v, want %v", tt.name, got, tt.lost)
		}
		if got := postgres.OutcomeUnknown(tt.err); got != tt.unknown {
			t.Errorf("%s: the outcome is unknown: got %v, want %v", tt.name, got, tt.unknown)
		}
	}
}

// A server that is starting up refuses connections. A load tries again, and a commit has a known outcome.
func TestServerStartingUp(t *testing.T) {
	s, _, p, pool := proxied(t, "?sslmode=disable")
	r := create(t, s, creation())
	pool.Reset()
	p.refused.Store(1)
	load(t, s, r.Token)
	pool.Reset()
	p.refused.Store(1)
	_, err := s.Commit(t.Context(), r.Token, &store.Change{Touched: true})
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "57P03" || errors.Is(err, store.ErrOutcomeUnknown) {
		t.Errorf("a commit: got %v, want SQLSTATE 57P03 and a known outcome", err)
	}
}

// twoIdle returns a Store whose pool has two idle connections, and the IDs of the server's processes for them. The pool
// uses next first.
func twoIdle(t *testing.T) (s *postgres.Store, pool, admin *pgxpool.Pool, next, other uint32) {
	t.Helper()
	address := pgtest.Shared(t).Database(t)
	pool, admin = pgtest.Connect(t, address), pgtest.Connect(t, address)
	s = open(t, pool, noListen)
	pool.Reset()
	a, err := pool.Acquire(t.Context())
	check(t, err)
	b, err := pool.Acquire(t.Context())
	check(t, err)
	next, other = a.Conn().PgConn().PID(), b.Conn().PgConn().PID()
	b.Release()
	a.Release() // the pool uses the last released connection first
	return s, pool, admin, next, other
}

// A timeout or a cancellation of a commit doesn't reset the pool.
func TestCancelKeepsPool(t *testing.T) {
	for name, end := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"cancelled": context.WithCancel,
		"timed out": withDeadline,
	} {
		t.Run(name, func(t *testing.T) {
			s, pool, admin, _, other := twoIdle(t)
			r := create(t, s, creation())
			tx := begin(t, admin, "SELECT FROM session_sessions FOR UPDATE")
			ctx, cancel := end(t.Context())
			defer cancel()
			done := make(chan error)
			go func() { done <- errOf(s.Commit(ctx, r.Token, &store.Change{Touched: true})) }()
			waitForWaiting(t, admin, 1)
			cancel()
			if err := <-done; !errors.Is(err, store.ErrOutcomeUnknown) {
				t.Errorf("got %v, want %v", err, store.ErrOutcomeUnknown)
			}
			if got := value[uint32](t, pool, "SELECT pg_backend_pid()"); got != other {
				t.Errorf("the next statement ran in process %d, want %d, the other connection's", got, other)
			}
			check(t, tx.Rollback(t.Context()))
		})
	}
}

// A late context has the error of a deadline when a test cancels it.
type late struct{ context.Context }

func withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	return late{ctx}, cancel
}

func (l late) Err() error {
	if l.Context.Err() != nil {
		return context.DeadlineExceeded
	}
	return nil
}
