package pglog

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/lazysession/session/live/stream"
)

// Where little is going on, a group is one batch, and most often it answers the socket that it is from. That takes a
// statement of its own, which does no more than it has to.

// answers returns the messages of a batch that does nothing but send to its own socket.
func (r *request) answers() (data [][]byte, ok bool) {
	own := stream.Own(r.batch.Lease.Socket)
	for i := range r.batch.Ops {
		op := &r.batch.Ops[i]
		if op.Kind != stream.Send || op.Stream != own {
			return nil, false
		}
		data = append(data, notNil(op.Data))
	}
	return data, r.batch.Lease != stream.Lease{}
}

const answerSQL = `WITH s AS (
	UPDATE {{sockets}} SET top = top + $4::bigint, received = greatest(received, $3::bigint),
		keep_messages = $6, keep_bytes = $7, keep_age = $8
	WHERE id = $1 AND incarnation = $2 AND ($3::bigint = 0 OR received = $3::bigint - 1)
	RETURNING sid, epoch, top - $4::bigint AS base
), m AS (
	INSERT INTO {{messages}} (slot, sid, n, time, member, data)
	SELECT (SELECT turn % 3 FROM {{turns}}), s.sid, s.base + u.nth, now(), false, u.data
	FROM s, unnest($5::bytea[]) WITH ORDINALITY AS u (data, nth)
)
SELECT epoch, base FROM s`

// runAnswer commits a batch that answers its socket. It reports false where it is refused: the statement doesn't tell
// why.
func (l *Log) runAnswer(ctx context.Context, r *request, data [][]byte) (done bool, err error) {
	var epoch string
	var base uint64
	b := r.batch
	keep := b.Ops[len(b.Ops)-1].Keep.WithDefaults()
	err = l.pool.QueryRow(ctx, l.sql.answer, uuid(b.Lease.Socket), int64(b.Lease.Incarnation), int64(b.In),
		int64(len(data)), data, int64(keep.Messages), int64(keep.Bytes), keep.Age.Microseconds()).Scan(&epoch, &base)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r.at = make([]stream.Position, len(data))
	for i := range data {
		r.at[i] = stream.Position{Epoch: epoch, Number: base + uint64(i) + 1}
	}
	l.tell(hints{{stream.Own(b.Lease.Socket), r.at[len(data)-1]}})
	return true, nil
}
