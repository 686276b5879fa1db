package postgres_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store/postgres"
)

// A frozenConn discards all writes while it is frozen, like a network without a server.
type frozenConn struct {
	net.Conn
	frozen *atomic.Bool
}

func (c frozenConn) Write(p []byte) (int, error) {
	if c.frozen.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// A pool that fails fast can make a new connection soon after a statement's timeout, even if the server sends nothing.
func TestFailFastPoolLeavesServerThatHangs(t *testing.T) {
	const soon = 12 * time.Second // pgx alone takes 15
	frozen := new(atomic.Bool)
	pool := connectWith(t, pgtest.Shared(t).Database(t), func(cfg *pgxpool.Config) {
		dial := cfg.ConnConfig.DialFunc
		cfg.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			return frozenConn{conn, frozen}, err
		}
		postgres.FailFast(cfg)
	})
	check(t, pool.Ping(t.Context()))

	frozen.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := pool.Exec(ctx, "SELECT 1"); err == nil {
		t.Fatal("the server answered")
	}
	for began := time.Now(); pool.Stat().TotalConns() > 0; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > soon {
			t.Fatalf("the pool still counts the connection after %v", soon)
		}
	}
}
