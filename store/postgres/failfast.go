package postgres

import (
	"context"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// closeTime is how long pgx may wait for the server while it closes a connection or cancels a statement. It is also the
// default time for an attempt to connect.
const closeTime = time.Second

// FailFast prepares a pool to leave a server that hangs. Call it before pgxpool.NewWithConfig:
//
//	cfg, err := pgxpool.ParseConfig(url)
//	postgres.FailFast(cfg)
//	pool, err := pgxpool.NewWithConfig(ctx, cfg)
//
// After a statement's timeout, pgx asks the server to cancel it, and the connection counts as used in the pool until
// the server answers, for up to 15 s. FailFast reduces that to 1 s. An attempt to connect also ends after 1 s, unless
// connect_timeout sets another time.
//
// Where the connection string names several hosts, no statement waits that long for a server that hangs. A server hangs
// if it sends no byte for 0.75 s, although a statement waits for it and a new connection asks it. Then all connections
// to it end with an error, and new ones go to the next host at once, until the server answers again. A server that is
// only slow answers a new connection, and is not left.
func FailFast(cfg *pgxpool.Config) {
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = closeTime
	}
	connect, dial := cfg.ConnConfig.ConnectTimeout, cfg.ConnConfig.DialFunc
	if several(cfg.ConnConfig) {
		dial = (&hosts{dial: dial, known: make(map[string]*host)}).dialHost
	}
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		// pgx gives more time to a dial that cancels a statement than to one that connects.
		deadline, limited := ctx.Deadline()
		cancels := limited && time.Until(deadline) > connect+closeTime
		if cancels {
			var done context.CancelFunc
			ctx, done = context.WithTimeout(ctx, closeTime)
			defer done()
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if cancels {
			return conn, conn.SetDeadline(time.Now().Add(closeTime))
		}
		return quickConn{conn}, nil
	}
}

// A quickConn limits how long pgx waits for the server when it closes the connection. pgx sets a deadline in the future
// only on a connection that it closes.
type quickConn struct{ net.Conn }

func (c quickConn) SetDeadline(t time.Time) error {
	if latest := time.Now().Add(closeTime); t.After(latest) {
		t = latest
	}
	return c.Conn.SetDeadline(t)
}
