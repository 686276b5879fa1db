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

// A moreRow scans a channel, and a member behind its columns.
type moreRow struct {
	pgx.Row
	more []any
}

func (r moreRow) Scan(into ...any) error { return r.Row.Scan(append(into, r.more...)...) }

// scanWhole reads a channel and one of its members, if it has any.
func scanWhole(row pgx.Row) (*channel, *stream.Member, error) {
	var socket, session pgtype.UUID
	var owner, seat []byte
	var away *bool
	var since *uint64
	c, err := scanChannel(moreRow{row, []any{&socket, &session, &owner, &seat, &away, &since}})
	if err != nil || !socket.Valid {
		return c, nil, err
	}
	return c, &stream.Member{
		Socket: socket.Bytes, Session: session.Bytes, Owner: string(owner), Seat: string(seat), Away: *away, Since: *since,
	}, nil
}
