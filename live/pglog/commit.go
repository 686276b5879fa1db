package pglog

import (
	"context"
	"errors"
	"slices"

	"github.com/lazysession/session/live/stream"
)

// Commit applies a batch. See stream.Log. One that edits the state of a channel has a transaction of its own, since it
// may have to wait for one that holds the channel.
func (l *Log) Commit(ctx context.Context, b *stream.Batch) ([]stream.Position, error) {
	if err := check(b); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(b.Ops, func(op stream.Op) bool { return op.Kind == stream.Edit }) {
		return l.commitEdits(ctx, b)
	}
	r := &request{batch: b}
	if err := l.submit(ctx, r); err != nil {
		return nil, err
	}
	l.interest.batch(b)
	return r.at, nil
}

// commitEdits tries again where it was ended for the sake of another transaction: it has read nothing.
func (l *Log) commitEdits(ctx context.Context, b *stream.Batch) (at []stream.Position, err error) {
	for range 5 {
		t := &tx{l: l}
		at, err = t.Commit(ctx, b)
		t.Rollback()
		if !errors.Is(err, stream.ErrDeadlock) {
			break
		}
	}
	return at, err
}
