package pglog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lazysession/session/live/stream"
)

// Read returns messages of a stream after a position. See stream.Log.
func (l *Log) Read(ctx context.Context, name stream.Name, after stream.Position, limit int) ([]stream.Message, error) {
	if err := l.alive(); err != nil {
		return nil, err
	}
	if id, up := name.Receiver(); up {
		return nil, l.readUp(ctx, name, id, after)
	}
	page, err := l.readPage(ctx, name, after, limit)
	if err != nil {
		return nil, fmt.Errorf("pglog: read: %w", err)
	}
	if page == nil {
		return nil, absent(name, after)
	}
	l.interest.note(hint{name, page.position()})
	if after.Epoch == page.epoch && after.Number > page.top {
		if err := l.renew(ctx, name, page); err != nil {
			return nil, fmt.Errorf("pglog: read: %w", err)
		}
	}
	return page.after(name, after)
}

func absent(name stream.Name, after stream.Position) error {
	if after == (stream.Position{}) {
		return nil
	}
	return &stream.GapError{Stream: name, Why: stream.Reset}
}

// A page is a part of a stream.
type page struct {
	line
	messages []stream.Message
}

// readPage reads messages and the top in one statement, and so at one moment. It returns nil where there is no stream.
func (l *Log) readPage(ctx context.Context, name stream.Name, after stream.Position, limit int) (*page, error) {
	sql, key := l.rowOf(name)
	if key == nil {
		return nil, nil
	}
	rows, err := l.pool.Query(ctx, sql.read, key, int64(after.Number&(1<<63-1)), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var p *page
	for rows.Next() {
		var q page
		var n *uint64
		var at *time.Time
		var member *bool
		var data []byte
		if err := rows.Scan(&q.epoch, &q.top, &q.keep.Messages, &n, &at, &member, &data); err != nil {
			return nil, err
		}
		if p == nil {
			p = &q
		}
		if n != nil {
			p.messages = append(p.messages, stream.Message{Number: *n, Time: *at, Member: *member, Data: data})
		}
	}
	return p, rows.Err()
}

// streamSQL are the statements for streams of a kind.
type streamSQL struct{ read, renew string }

// rowOf returns the statements for a stream, and the key of its row; nil where no row can be its own.
func (l *Log) rowOf(name stream.Name) (sql streamSQL, key any) {
	if channel, ok := name.Channel(); ok {
		return streamSQL{l.sql.readChannel, l.sql.newChannelEpoch}, []byte(channel)
	}
	if id, ok := name.Socket(); ok {
		return streamSQL{l.sql.readSocket, l.sql.newSocketEpoch}, uuid(id)
	}
	return streamSQL{}, nil
}

// renew gives a stream another epoch, since a reader has a position above its top.
func (l *Log) renew(ctx context.Context, name stream.Name, p *page) error {
	sql, key := l.rowOf(name)
	epoch := newEpoch()
	err := l.pool.QueryRow(ctx, sql.renew, key, p.epoch, int64(p.top)+1, epoch).Scan(&p.top)
	if errors.Is(err, pgx.ErrNoRows) { // it has grown or changed meanwhile
		again, err := l.readPage(ctx, name, stream.Position{}, 1)
		if err != nil || again == nil {
			return errors.Join(err, errGone)
		}
		p.line = again.line
		return nil
	}
	p.epoch = epoch
	return err
}

var errGone = errors.New("the stream was removed meanwhile")

// after returns the page's messages, or where reading can go on.
func (p *page) after(name stream.Name, after stream.Position) ([]stream.Message, error) {
	gap := func(why stream.Gap, at uint64) error {
		return &stream.GapError{Stream: name, Why: why, At: stream.Position{Epoch: p.epoch, Number: at}}
	}
	if after.Epoch != p.epoch || after.Number > p.top {
		return nil, gap(stream.Reset, p.top)
	}
	oldest := p.top // the number before the first one that can be read
	if len(p.messages) > 0 {
		oldest = p.messages[0].Number - 1
	}
	if kept := uint64(p.keep.Messages); p.top > kept {
		oldest = max(oldest, p.top-kept)
	}
	if after.Number < oldest {
		return nil, gap(stream.Old, oldest)
	}
	return p.messages, nil
}

// readUp says that what a socket has sent upward is not kept.
func (l *Log) readUp(ctx context.Context, name stream.Name, id stream.ID, after stream.Position) error {
	for s, err := range l.Sockets(ctx, stream.Filter{ID: id}) {
		if err != nil {
			return err
		}
		at := stream.Position{Epoch: s.Out.Epoch, Number: s.In}
		switch {
		case after.Epoch != at.Epoch, after.Number > at.Number:
			return &stream.GapError{Stream: name, Why: stream.Reset, At: at}
		case after.Number < at.Number:
			return &stream.GapError{Stream: name, Why: stream.Old, At: at}
		}
		return nil
	}
	return absent(name, after)
}
