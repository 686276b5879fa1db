package pglog

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lazysession/session/live/stream"
)

// Most batches only move the number of a socket and send: they are plain. A group of plain batches is one statement.

// plain reports whether the request is a plain batch.
func (r *request) plain() bool {
	if r.batch == nil {
		return false
	}
	for i := range r.batch.Ops {
		if kind := r.batch.Ops[i].Kind; kind != stream.Send && kind != stream.Welcome {
			return false
		}
	}
	return true
}

// plainArgs are the arguments of the function commit in the database.
type plainArgs struct {
	sockets                              []pgtype.UUID
	incarnations, received               []int64
	welcomed                             []bool
	no, keepMessages, keepBytes, keepAge []int64
	toSockets                            []pgtype.UUID
	toChannels, data                     [][]byte
	locked                               []stream.ID
	channels                             []string
}

func (a *plainArgs) add(no int, b *stream.Batch) {
	id := pgtype.UUID{Bytes: b.Lease.Socket, Valid: b.Lease != (stream.Lease{})}
	welcomed := false
	for i := range b.Ops {
		op := &b.Ops[i]
		if op.Kind == stream.Welcome {
			welcomed = true
			continue
		}
		to, isSocket := op.Stream.Socket()
		channel, isChannel := op.Stream.Channel()
		var name []byte
		switch {
		case isSocket:
			a.locked = append(a.locked, to)
		case isChannel:
			name = []byte(channel)
			a.channels = append(a.channels, channel)
		}
		keep := op.Keep.WithDefaults()
		a.no, a.toSockets = append(a.no, int64(no)), append(a.toSockets, pgtype.UUID{Bytes: to, Valid: isSocket})
		a.toChannels, a.data = append(a.toChannels, name), append(a.data, notNil(op.Data))
		a.keepMessages, a.keepBytes = append(a.keepMessages, int64(keep.Messages)), append(a.keepBytes, int64(keep.Bytes))
		a.keepAge = append(a.keepAge, keep.Age.Microseconds())
	}
	if id.Valid {
		a.locked = append(a.locked, b.Lease.Socket)
	}
	a.sockets, a.incarnations = append(a.sockets, id), append(a.incarnations, int64(b.Lease.Incarnation))
	a.received, a.welcomed = append(a.received, int64(b.In)), append(a.welcomed, welcomed)
}

func notNil(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

// runPlain commits a group of plain batches. Those that are refused change nothing.
func (l *Log) runPlain(ctx context.Context, all []*request) error {
	var a plainArgs
	for i, r := range all {
		r.at = make([]stream.Position, len(r.batch.Ops))
		a.add(i+1, r.batch)
	}
	rows, err := l.pool.Query(ctx, l.sql.commit, a.sockets, a.incarnations, a.received, a.welcomed, a.no,
		a.toSockets, a.toChannels, a.data, a.keepMessages, a.keepBytes, a.keepAge, uuids(a.locked), byteas(a.channels))
	if err != nil {
		return err
	}
	sends := sendsOf(all)
	tops := map[stream.Name]stream.Position{}
	var no, send, number int64
	var text string
	_, err = pgx.ForEachRow(rows, []any{&no, &send, &text, &number}, func() error {
		r := all[no-1]
		if send == 0 {
			r.err = refusal(text, r.batch, number)
			return nil
		}
		at := stream.Position{Epoch: text, Number: uint64(number)}
		i := sends[send-1]
		r.at[i] = at
		if name := r.batch.Ops[i].Stream; tops[name].Number < at.Number {
			tops[name] = at
		}
		return nil
	})
	if err != nil {
		return err
	}
	told := make(hints, 0, len(tops))
	for name, top := range tops {
		told = append(told, hint{name, top})
	}
	l.tell(told)
	return nil
}

// sendsOf returns where in its batch each send is.
func sendsOf(all []*request) (at []int) {
	for _, r := range all {
		for i := range r.batch.Ops {
			if r.batch.Ops[i].Kind == stream.Send {
				at = append(at, i)
			}
		}
	}
	return at
}

func refusal(why string, b *stream.Batch, last int64) error {
	if why == "order" {
		return fmt.Errorf("%w: got %d after %d", stream.ErrOrder, b.In, last)
	}
	return stream.ErrFenced
}
