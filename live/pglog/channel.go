package pglog

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lazysession/session/live/stream"
)

// Channel returns a channel as it is, or nil where it has no members. See stream.Log.
func (l *Log) Channel(ctx context.Context, name string) (*stream.Channel, error) {
	if err := l.alive(); err != nil {
		return nil, err
	}
	c, err := l.readWhole(ctx, l.pool, name)
	if err != nil {
		return nil, fmt.Errorf("pglog: channel: %w", err)
	}
	if len(c.is.Members) == 0 {
		return nil, nil
	}
	return &c.is, nil
}

// A source is a pool or a connection.
type source interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// readWhole returns a channel with its members: an empty one where it has none.
func (l *Log) readWhole(ctx context.Context, from source, name string) (*channel, error) {
	rows, err := from.Query(ctx, l.sql.channel, []byte(name))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	c := &channel{loaded: true, is: stream.Channel{Name: name}}
	for rows.Next() {
		found, m, err := scanWhole(rows)
		if err != nil {
			return nil, err
		}
		found.is.Members, found.loaded = c.is.Members, true
		c = found
		if m != nil {
			c.is.Members = append(c.is.Members, *m)
		}
	}
	return c, rows.Err()
}

// scanWhole reads a channel and one of its members, if it has any.
func scanWhole(row pgx.Row) (*channel, *stream.Member, error) {
	var socket, session pgtype.UUID
	var owner, seat []byte
	var away *bool
	var since *uint64
	c, err := scanChannel(row, &socket, &session, &owner, &seat, &away, &since)
	if err != nil || !socket.Valid {
		return c, nil, err
	}
	return c, &stream.Member{
		Socket: socket.Bytes, Session: session.Bytes, Owner: string(owner), Seat: string(seat), Away: *away, Since: *since,
	}, nil
}
