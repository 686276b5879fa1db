package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lazysession/session/store"
)

// A notification is "origin kind reason id owner". The origin lets a server skip its own, which it has told already.

// notify is the expression that notifies of a session in a query's rows.
func notify(from, channel, head string) string {
	return "pg_notify(" + channel + ", " + head + " || " + from + ".id || ' ' || " + from + ".owner)"
}

// head is the part of a notification that the row does not know.
func head(origin string, kind store.Kind, why store.Reason) string {
	return fmt.Sprintf("%s %d %d ", origin, kind, why)
}

func (s *Store) head(kind store.Kind, why store.Reason) string { return head(s.origin, kind, why) }

// parseEvent reads a notification.
func parseEvent(payload string) (e store.Event, origin string, err error) {
	fields := strings.SplitN(payload, " ", 5)
	if len(fields) != 5 {
		return e, "", fmt.Errorf("postgres: notification %.80q: want 5 fields", payload)
	}
	kind, err1 := strconv.ParseUint(fields[1], 10, 8)
	reason, err2 := strconv.ParseUint(fields[2], 10, 8)
	id, err3 := store.ParseID(strings.ReplaceAll(fields[3], "-", ""))
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			return e, "", fmt.Errorf("postgres: notification %.80q: %w", payload, err)
		}
	}
	return store.Event{Kind: store.Kind(kind), ID: id, Owner: fields[4], Reason: store.Reason(reason)}, fields[0], nil
}

// listen connects for the events of other servers, and goes on in the background until Close.
func (s *Store) listen(ctx context.Context) error {
	running, stop := context.WithCancel(context.Background())
	s.stop = stop
	if s.noListen {
		return nil
	}
	conn, err := s.connect(ctx)
	if err != nil {
		stop()
		return fmt.Errorf("postgres: listening for events: %w", err)
	}
	s.running.Go(func() { s.follow(running, conn) })
	return nil
}

// follow tells of events, and makes the connection anew when it breaks. What was missed then nobody knows, so the
// watchers are told that something may have been.
func (s *Store) follow(ctx context.Context, conn *pgx.Conn) {
	for {
		err := s.receive(ctx, conn)
		closeConn(conn)
		if ctx.Err() != nil {
			return
		}
		s.log.LogAttrs(ctx, slog.LevelWarn, "postgres: lost the connection for events", slog.Any("error", err))
		if conn = s.reconnect(ctx); conn == nil {
			return
		}
		s.Tell(store.Event{Kind: store.Missed})
	}
}

// receive tells of events until the connection breaks.
func (s *Store) receive(ctx context.Context, conn *pgx.Conn) error {
	for {
		n, err := waitFor(ctx, conn)
		if err != nil {
			return err
		}
		if n != "" {
			s.receiveOne(ctx, n)
		}
	}
}

// checkEvery is how often a silent connection is tried: one that is cut without a word looks like one with no events.
const checkEvery = 500 * time.Millisecond

// waitFor returns the next notification, or none after a while in which the connection was found alive.
func waitFor(ctx context.Context, conn *pgx.Conn) (payload string, err error) {
	wait, cancel := context.WithTimeout(ctx, checkEvery)
	n, err := conn.WaitForNotification(wait)
	timeUp := wait.Err() != nil
	cancel()
	switch {
	case err == nil:
		return n.Payload, nil
	case ctx.Err() != nil || !timeUp || conn.IsClosed():
		return "", err
	}
	return "", alive(ctx, conn)
}

var errReadOnly = errors.New("the server is read-only")

// alive returns an error if a connection is broken, or leads to a server that became read-only: whatever happens to
// sessions then happens on another one.
func alive(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var readOnly bool
	err := conn.QueryRow(ctx, "SELECT current_setting('transaction_read_only')::boolean").Scan(&readOnly)
	if err == nil && readOnly {
		err = errReadOnly
	}
	return err
}

func (s *Store) receiveOne(ctx context.Context, payload string) {
	e, origin, err := parseEvent(payload)
	if err != nil {
		s.log.LogAttrs(ctx, slog.LevelError, "postgres: event not understood", slog.Any("error", err))
		return
	}
	if origin != s.origin {
		s.Tell(e)
	}
}

// reconnect tries until it has a connection; it has none when ctx is done.
func (s *Store) reconnect(ctx context.Context) *pgx.Conn {
	const first, longest = 20 * time.Millisecond, 500 * time.Millisecond
	for pause := first; ; pause = min(2*pause, longest) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		conn, err := s.connectWritable(attempt)
		cancel()
		if err == nil {
			return conn
		}
	}
}

func (s *Store) connectWritable(ctx context.Context) (*pgx.Conn, error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := alive(ctx, conn); err != nil {
		closeConn(conn)
		return nil, err
	}
	return conn, nil
}

// connConfig returns how to connect: as the pool does, with what its owner does before each connection, such as fetching
// a password; or as Options.Listen says.
func (s *Store) connConfig(ctx context.Context) (*pgx.ConnConfig, error) {
	if s.settings.listen != "" {
		return pgx.ParseConfig(s.settings.listen)
	}
	pool := s.pool.Config()
	cfg := pool.ConnConfig
	if pool.BeforeConnect != nil {
		if err := pool.BeforeConnect(ctx, cfg); err != nil {
			return nil, err
		}
	}
	return cfg, nil
}

// connect returns a connection that listens.
func (s *Store) connect(ctx context.Context) (*pgx.Conn, error) {
	cfg, err := s.connConfig(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{s.channel()}.Sanitize()); err != nil {
		closeConn(conn)
		return nil, err
	}
	return conn, nil
}

func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn.Close(ctx)
}
