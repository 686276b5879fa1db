package streamtest_test

import (
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store"
)

// A bent is a log whose methods can be replaced, one by one. Each replacement gets the right one.
type bent struct {
	*memlog.Log
	reopened bool

	take     func(ctx context.Context, c *stream.Claim) (*stream.Socket, error)
	commit   func(b *stream.Batch, do committer) ([]stream.Position, error)
	read     func(s stream.Name, after stream.Position, limit int) ([]stream.Message, error)
	channel  func(c *stream.Channel) *stream.Channel
	sockets  func(f stream.Filter, all lister) iter.Seq2[*stream.Socket, error]
	overdue  func(limit int) ([]*stream.Socket, error)
	hint     func(s stream.Name, top stream.Position, tell func(stream.Name, stream.Position))
	watch    func(f func(stream.Name, stream.Position)) func()
	warm     func() error
	close    func(ctx context.Context, backup bool) error
	hold     func(t *bentTx, ctx context.Context, channel string) (*stream.Channel, error)
	rollback func(t *bentTx)

	mu         sync.Mutex // locks what a mutant keeps
	afterwards []func()   // what a mutant does once a transaction has ended
}

// A lister is Sockets of the log.
type lister func(stream.Filter) iter.Seq2[*stream.Socket, error]

// A committer is Commit of the log or of a transaction.
type committer func(*stream.Batch) ([]stream.Position, error)

func (b *bent) Take(ctx context.Context, c *stream.Claim) (*stream.Socket, error) {
	if b.take != nil {
		return b.take(ctx, new(*c))
	}
	return b.Log.Take(ctx, c)
}

func (b *bent) Commit(ctx context.Context, batch *stream.Batch) ([]stream.Position, error) {
	return b.committed(batch, func(batch *stream.Batch) ([]stream.Position, error) { return b.Log.Commit(ctx, batch) })
}

func (b *bent) committed(batch *stream.Batch, do committer) ([]stream.Position, error) {
	if b.commit == nil {
		return do(batch)
	}
	batch = new(*batch)
	batch.Ops = slices.Clone(batch.Ops)
	return b.commit(batch, do)
}

func (b *bent) Read(ctx context.Context, s stream.Name, after stream.Position, limit int) ([]stream.Message, error) {
	if b.read != nil {
		return b.read(s, after, limit)
	}
	return b.Log.Read(ctx, s, after, limit)
}

func (b *bent) Channel(ctx context.Context, name string) (*stream.Channel, error) {
	c, err := b.Log.Channel(ctx, name)
	if b.channel != nil && c != nil {
		c = b.channel(c)
	}
	return c, err
}

func (b *bent) Sockets(ctx context.Context, f stream.Filter) iter.Seq2[*stream.Socket, error] {
	if b.sockets == nil {
		return b.Log.Sockets(ctx, f)
	}
	return b.sockets(f, func(f stream.Filter) iter.Seq2[*stream.Socket, error] { return b.Log.Sockets(ctx, f) })
}

func (b *bent) Overdue(ctx context.Context, limit int) ([]*stream.Socket, error) {
	if b.overdue != nil {
		return b.overdue(limit)
	}
	return b.Log.Overdue(ctx, limit)
}

func (b *bent) Watch(f func(stream.Name, stream.Position)) func() {
	if b.watch != nil {
		return b.watch(f)
	}
	if b.hint != nil {
		return b.Log.Watch(func(s stream.Name, top stream.Position) { b.hint(s, top, f) })
	}
	return b.Log.Watch(f)
}

func (b *bent) Warm(ctx context.Context, size int) error {
	if b.warm != nil {
		return b.warm()
	}
	return b.Log.Warm(ctx, size)
}

func (b *bent) Close(ctx context.Context, backup bool) error {
	if b.close != nil {
		return b.close(ctx, backup)
	}
	return b.Log.Close(ctx, backup)
}

func (b *bent) Begin(ctx context.Context) (stream.Tx, error) {
	t, err := b.Log.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &bentTx{Tx: t, b: b}, nil
}

// A bentTx is a transaction of a bent log.
type bentTx struct {
	stream.Tx
	b    *bent
	held []string
	err  error // of Commit
}

func (t *bentTx) Hold(ctx context.Context, channel string) (*stream.Channel, error) {
	if t.b.hold != nil {
		return t.b.hold(t, ctx, channel)
	}
	return t.Tx.Hold(ctx, channel)
}

func (t *bentTx) Commit(ctx context.Context, batch *stream.Batch) (at []stream.Position, err error) {
	at, t.err = t.b.committed(batch, func(batch *stream.Batch) ([]stream.Position, error) {
		return t.Tx.Commit(ctx, batch)
	})
	return at, t.err
}

func (t *bentTx) Rollback() {
	if t.b.rollback != nil {
		t.b.rollback(t)
		return
	}
	t.Tx.Rollback()
}

// socket returns a socket as the log has it, or an empty one.
func (b *bent) socket(id stream.ID) *stream.Socket {
	for s := range b.Log.Sockets(context.Background(), stream.Filter{ID: id}) {
		if s != nil {
			return s
		}
	}
	return new(stream.Socket)
}

// sits reports whether a socket is in a channel, and on which seat.
func (b *bent) sits(id stream.ID, channel string) (seat string, ok bool) {
	c, _ := b.Log.Channel(context.Background(), channel)
	if c == nil {
		return "", false
	}
	m, ok := c.Member(id)
	return m.Seat, ok
}

// top returns the top of a stream that is there.
func (b *bent) top(s stream.Name) stream.Position {
	_, err := b.Log.Read(context.Background(), s, stream.Position{}, 1)
	gap, ok := err.(*stream.GapError)
	if !ok {
		return stream.Position{}
	}
	return gap.At
}

func (b *bent) rightRead(s stream.Name, after stream.Position, limit int) ([]stream.Message, error) {
	return b.Log.Read(context.Background(), s, after, limit)
}

// nothing is an operation without effect.
var nothing = stream.Op{Kind: stream.Send, Stream: stream.Own(stream.ID{})}

// before changes each batch before it is committed.
func before(f func(b *bent, batch *stream.Batch)) func(*bent) {
	return func(b *bent) {
		b.commit = func(batch *stream.Batch, do committer) ([]stream.Position, error) {
			f(b, batch)
			return do(batch)
		}
	}
}

// each changes each operation of a kind.
func each(kind stream.OpKind, f func(b *bent, batch *stream.Batch, op *stream.Op)) func(*bent) {
	return before(func(b *bent, batch *stream.Batch) {
		for i := range batch.Ops {
			if batch.Ops[i].Kind == kind {
				f(b, batch, &batch.Ops[i])
			}
		}
	})
}

// without leaves out each operation of a kind.
func without(kind stream.OpKind) func(*bent) {
	return each(kind, func(_ *bent, _ *stream.Batch, op *stream.Op) { *op = nothing })
}

// after changes what Commit returns.
func after(
	f func(b *bent, batch *stream.Batch, at []stream.Position, err error) ([]stream.Position, error),
) func(*bent) {
	return func(b *bent) {
		b.commit = func(batch *stream.Batch, do committer) ([]stream.Position, error) {
			at, err := do(batch)
			return f(b, batch, at, err)
		}
	}
}

// seen changes each socket that the log returns.
func seen(f func(b *bent, s *stream.Socket)) func(*bent) {
	return func(b *bent) {
		b.take = func(ctx context.Context, c *stream.Claim) (*stream.Socket, error) {
			s, err := b.Log.Take(ctx, c)
			if err == nil {
				f(b, s)
			}
			return s, err
		}
		b.sockets = func(filter stream.Filter, all lister) iter.Seq2[*stream.Socket, error] {
			return func(yield func(*stream.Socket, error) bool) {
				for s, err := range all(filter) {
					if err == nil {
						f(b, s)
					}
					if !yield(s, err) {
						return
					}
				}
			}
		}
	}
}

// claimed changes each claim for a socket that is there.
func claimed(f func(c *stream.Claim, s *stream.Socket)) func(*bent) {
	return func(b *bent) {
		b.take = func(ctx context.Context, c *stream.Claim) (*stream.Socket, error) {
			if s := b.socket(c.ID); !s.ID.IsZero() {
				f(c, s)
			}
			return b.Log.Take(ctx, c)
		}
	}
}

// reading replaces Read.
func reading(
	f func(b *bent, s stream.Name, after stream.Position, limit int) ([]stream.Message, error),
) func(*bent) {
	return func(b *bent) {
		b.read = func(s stream.Name, after stream.Position, limit int) ([]stream.Message, error) {
			return f(b, s, after, limit)
		}
	}
}

// hinting replaces the telling of hints.
func hinting(f func(s stream.Name, top stream.Position, tell func(stream.Name, stream.Position))) func(*bent) {
	return func(b *bent) { b.hint = f }
}

// editsOf returns an operation that sets all values of a state.
func editsOf(channel string, state store.Values) stream.Op {
	op := stream.Op{Kind: stream.Edit, Channel: channel, Change: &store.Change{}}
	for name, doc := range state.All() {
		op.Change.Edits = append(op.Change.Edits, store.Edit{Name: name, Op: store.Set, JSON: doc})
	}
	return op
}
