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

// A notification is "kind reason id owner". A server that listens reports its own renewals and ends when PostgreSQL
// notifies it, like those of other servers. So all of them come in the order of their commits. Only a creation is
// reported without a notification, by the server that made it (see births).

// notify returns the expression that sends a notification for each session in a query's rows.
func notify(from, channel, head string) string {
	return "pg_notify(" + channel + ", " + head + " || " + from + ".id || ' ' || " + from + ".owner)"
}

// head returns the part of a notification that is not in the row.
func head(kind store.Kind, why store.Reason) string { return fmt.Sprintf("%d %d ", kind, why) }

// parseEvent reads a notification.
func parseEvent(payload string) (e store.Event, err error) {
	fields := strings.SplitN(payload, " ", 4)
	if len(fields) != 4 {
		return e, fmt.Errorf("postgres: notification %.80q: want 4 fields", payload)
	}
	kind, err1 := strconv.ParseUint(fields[0], 10, 8)
	reason, err2 := strconv.ParseUint(fields[1], 10, 8)
	id, err3 := store.ParseID(strings.ReplaceAll(fields[2], "-", ""))
	if err := errors.Join(err1, err2, err3); err != nil {
		return e, fmt.Errorf("postgres: notification %.80q: %w", payload, err)
	}
	return store.Event{Kind: store.Kind(kind), ID: id, Owner: fields[3], Reason: store.Reason(reason)}, nil
}

// tell reports ended sessions to the watchers of this server, if it doesn't listen for notifications.
func (s *Store) tell(gone []store.Event) {
	if !s.noListen {
		return
	}
	for _, e := range gone {
		s.births.tell(e)
	}
}

// tellCommit reports a commit to the watchers of this server. It reports a creation, which has no notification. It
// reports a renewal only if this server doesn't listen for notifications.
func (s *Store) tellCommit(r *row, c *store.Change) {
	if c.Created {
		s.births.first(store.Event{Kind: store.Created, ID: r.id, Owner: r.owner})
	}
	if c.Renews() && s.noListen {
		s.births.first(store.Event{Kind: store.Renewed, ID: r.id, Owner: r.owner})
	}
}

// hasEvents reports whether a change may have events.
func hasEvents(c *store.Change) bool { return c.Created || c.Renews() || c.MaxPerOwner > 0 }

// tellMissed reports that events may be missing, if a failed statement may have been applied.
func (s *Store) tellMissed(err error) {
	if outcomeUnknown(err) {
		s.births.tell(store.Event{Kind: store.Missed})
	}
}

// listen connects for the events of other servers, and starts follow, which runs until Close.
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

// follow reports events, and connects again when the connection breaks. Events in between are lost. So follow reports
// Missed twice: when the connection is lost, since no events come from then on, and when it is back, since records
// that watchers have loaded in between may be out of date.
func (s *Store) follow(ctx context.Context, conn *pgx.Conn) {
	for {
		err := s.receive(ctx, conn)
		if ctx.Err() != nil {
			closeConn(conn)
			return
		}
		s.births.tell(store.Event{Kind: store.Missed})
		closeConn(conn)
		s.log.LogAttrs(ctx, slog.LevelWarn, "postgres: lost the connection for events", slog.Any("error", err))
		if conn = s.reconnect(ctx); conn == nil {
			return
		}
		s.births.tell(store.Event{Kind: store.Missed})
	}
}

// receive reports events until the connection breaks.
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

// checkEvery is how often a connection without events is checked, since a broken one looks the same.
const checkEvery = 500 * time.Millisecond

// waitFor returns the next notification. It returns "" if none came within checkEvery and the connection works.
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

// hostTime is how long a host has to answer the listener. Each host has its own time. Otherwise a host that hangs would
// use up the time of the next one.
const hostTime = 2 * time.Second

var errReadOnly = errors.New("the server is read-only")

// alive returns an error if a connection is broken, or leads to a server that became read-only, since the events then
// happen on another server.
func alive(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, hostTime)
	defer cancel()
	var readOnly bool
	err := conn.QueryRow(ctx, "SELECT current_setting('transaction_read_only')::boolean").Scan(&readOnly)
	if err == nil && readOnly {
		err = errReadOnly
	}
	return err
}

// receiveOne reports the event of a notification.
func (s *Store) receiveOne(ctx context.Context, payload string) {
	e, err := parseEvent(payload)
	if err != nil {
		s.log.LogAttrs(ctx, slog.LevelError, "postgres: event not understood", slog.Any("error", err))
		return
	}
	s.births.tell(e)
}

// reconnect tries to connect until it succeeds. It returns nil when ctx is done.
func (s *Store) reconnect(ctx context.Context) *pgx.Conn {
	const first, longest = 20 * time.Millisecond, 500 * time.Millisecond
	for pause := first; ; pause = min(2*pause, longest) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		if conn, err := s.connectWritable(ctx); err == nil {
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

// connConfig returns the configuration of Options.Listen, or else that of the pool after BeforeConnect, which may fetch
// a password, for example.
func (s *Store) connConfig(ctx context.Context) (*pgx.ConnConfig, error) {
	if s.settings.listen != "" {
		return pgx.ParseConfig(s.settings.listen)
	}
	pool := s.db.pool.Config()
	cfg := pool.ConnConfig
	if pool.BeforeConnect != nil {
		ctx, cancel := context.WithTimeout(ctx, hostTime)
		defer cancel()
		if err := pool.BeforeConnect(ctx, cfg); err != nil {
			return nil, err
		}
	}
	return cfg, nil
}

// connect returns a new connection that listens for notifications.
func (s *Store) connect(ctx context.Context) (*pgx.Conn, error) {
	cfg, err := s.connConfig(ctx)
	if err != nil {
		return nil, err
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = hostTime // pgx gives it to each host
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, hostTime)
	defer cancel()
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
