package memlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lazysession/session/live/stream"
)

// Commit applies a batch. See stream.Log.
func (l *Log) Commit(ctx context.Context, b *stream.Batch) ([]stream.Position, error) {
	if slices.ContainsFunc(b.Ops, edits) {
		return l.commitHolding(ctx, b)
	}
	return l.commit(b, nil)
}

func edits(op stream.Op) bool { return op.Kind == stream.Edit }

// commit applies a batch in one step, of a transaction or of none.
func (l *Log) commit(b *stream.Batch, t *tx) ([]stream.Position, error) {
	locks, err := touched(b)
	if err != nil {
		return nil, err
	}
	if t != nil {
		locks |= t.shards()
	}
	if err := l.lock(locks); err != nil {
		return nil, err
	}
	st := step{l: l, b: b, now: time.Now(), refusable: refusable(b)}
	at, err := st.run(t)
	l.unlock(locks)
	if err != nil {
		return nil, err
	}
	st.tell()
	if l.bytes.Load() > l.opts.MaxBytes {
		l.shrink()
	}
	return at, nil
}

// touched returns the shards that a batch needs, and what is wrong with the batch by itself.
func touched(b *stream.Batch) (s lockset, err error) {
	nobody := b.Lease == stream.Lease{}
	if nobody && b.In != 0 {
		return 0, errors.New("memlog: a batch without a lease has no upward message")
	}
	if !nobody {
		s = 1 << shardOfSocket(b.Lease.Socket)
	}
	for i := range b.Ops {
		switch op := &b.Ops[i]; op.Kind {
		case stream.Send:
			s |= 1 << shardOf(op.Stream)
			continue
		case stream.Edit:
			s |= 1 << shardOfChannel(op.Channel)
			continue
		case stream.Join, stream.Leave, stream.Away, stream.End:
			s = everything
		case stream.Welcome, stream.Renumber:
		default:
			return 0, fmt.Errorf("memlog: unknown operation %v", op.Kind)
		}
		if nobody {
			return 0, fmt.Errorf("memlog: a batch without a lease can't %v", b.Ops[i].Kind)
		}
	}
	return s, nil
}

// refusable reports whether an operation of the batch can be refused, so that those before it have to be undone.
func refusable(b *stream.Batch) bool {
	return slices.ContainsFunc(b.Ops, func(op stream.Op) bool {
		return op.Kind == stream.Join || op.Kind == stream.Edit || op.Kind == stream.End
	})
}

// A step applies one batch, with all that it needs locked.
type step struct {
	l         *Log
	b         *stream.Batch
	now       time.Time
	socket    *socket // that the batch is for; nil for none, and after End
	refusable bool
	undo      []func() // what makes undone what was done, the last first
	changed   []*channel
	hints     hints
}

func (st *step) run(t *tx) (at []stream.Position, err error) {
	if err := st.begin(); err != nil {
		return nil, err
	}
	if err := t.unchangedLocked(); err != nil {
		return nil, err
	}
	st.receive()
	at = make([]stream.Position, len(st.b.Ops))
	for i := range st.b.Ops {
		if at[i], err = st.apply(&st.b.Ops[i], t); err != nil {
			st.rollback()
			return nil, err
		}
	}
	st.finish()
	return at, nil
}

// begin finds the socket, and tests the lease and the number.
func (st *step) begin() error {
	lease := st.b.Lease
	if lease == (stream.Lease{}) {
		return nil
	}
	s := st.l.socketLocked(lease.Socket)
	if s == nil || s.info.Incarnation != lease.Incarnation {
		return stream.ErrFenced
	}
	if st.b.In != 0 && st.b.In != s.info.In+1 {
		return fmt.Errorf("%w: got %d after %d", stream.ErrOrder, st.b.In, s.info.In)
	}
	st.socket = s
	return nil
}

// receive moves the number of upward messages.
func (st *step) receive() {
	if st.b.In == 0 {
		return
	}
	s := st.socket
	st.saveSocket(s)
	s.info.In = st.b.In
	if s.up != nil {
		s.up.append(stream.Message{Time: st.now, Data: bytes.Clone(st.b.Received)})
	}
}

// saveSocket makes sure that a socket is as it is now again if the batch is refused.
func (st *step) saveSocket(s *socket) {
	if !st.refusable {
		return
	}
	info, own := s.info, s.line
	st.undo = append(st.undo, func() { s.info = info; s.line.restore(own) })
	if s.up != nil {
		up := *s.up
		st.undo = append(st.undo, func() { s.up.restore(up) })
	}
}

func (st *step) saveChannel(c *channel) {
	if !st.refusable {
		return
	}
	was := *c
	st.undo = append(st.undo, func() { c.is = was.is; c.line.restore(was.line) })
}

func (st *step) rollback() {
	for _, undo := range slices.Backward(st.undo) {
		undo()
	}
}

// finish removes the channels that have no members now.
func (st *step) finish() {
	for _, c := range st.changed {
		if len(c.is.Members) == 0 && st.l.channelLocked(c.is.Name) == c {
			st.l.removeChannelLocked(c)
		}
	}
}

var errEnded = errors.New("memlog: an operation on a socket after its End")

func (st *step) apply(op *stream.Op, t *tx) (stream.Position, error) {
	if st.socket == nil && op.Kind != stream.Send && op.Kind != stream.Edit {
		return stream.Position{}, errEnded
	}
	switch op.Kind {
	case stream.Send:
		return st.send(op), nil
	case stream.Join:
		return st.join(op)
	case stream.Leave:
		return st.leave(op.Channel), nil
	case stream.Edit:
		return stream.Position{}, st.edit(op, t)
	case stream.Welcome:
		st.saveSocket(st.socket)
		st.socket.info.Welcomed = true
	case stream.Away:
		st.away(op.Window)
	case stream.End:
		st.endSocket()
	case stream.Renumber:
		st.renumber(op)
	}
	return stream.Position{}, nil
}

func (st *step) send(op *stream.Op) stream.Position {
	q := st.target(op.Stream)
	if q == nil {
		return stream.Position{}
	}
	q.keep = op.Keep.WithDefaults()
	at := q.append(stream.Message{Time: st.now, Data: bytes.Clone(op.Data)})
	st.hint(q.name, at)
	return at
}

// target returns the stream to send to, or nil where there is none.
func (st *step) target(name stream.Name) *line {
	if channel, ok := name.Channel(); ok {
		c := st.l.channelLocked(channel)
		if c == nil || len(c.is.Members) == 0 {
			return nil
		}
		st.saveChannel(c)
		return &c.line
	}
	id, _ := name.Socket()
	s := st.l.socketLocked(id)
	if s == nil {
		return nil
	}
	st.saveSocket(s)
	return &s.line
}

// hint notes that a stream has grown.
func (st *step) hint(s stream.Name, top stream.Position) {
	if st.l.watch.any() {
		st.hints.add(s, top)
	}
}

// channel returns a channel that is about to be changed. It is made where it isn't there.
func (st *step) channel(name string) *channel {
	c := st.l.channelLocked(name)
	if c == nil {
		l := st.l
		c = l.newChannelLocked(name)
		st.undo = append(st.undo, func() { l.removeChannelLocked(c) })
	}
	st.changed = append(st.changed, c)
	st.saveChannel(c)
	return c
}

// append appends what happened to members to their channel's stream.
func (st *step) append(c *channel, events []stream.MemberEvent) {
	for _, e := range events {
		at := c.line.append(stream.Message{Time: st.now, Member: true, Data: e.Encode()})
		st.hint(c.name, at)
	}
}

func (st *step) join(op *stream.Op) (stream.Position, error) {
	c, s := st.channel(op.Channel), st.socket
	c.is.Top = c.position()
	events, err := c.is.Join(stream.Member{
		Socket: s.info.ID, Session: s.info.Session, Owner: s.info.Owner, Seat: op.Seat,
	}, op.Rules)
	if err != nil {
		return stream.Position{}, err
	}
	if c.keep = op.Keep.WithDefaults(); len(events) == 0 {
		return stream.Position{}, nil
	}
	for _, e := range events {
		st.list(c, e)
	}
	st.append(c, events)
	m, _ := c.is.Member(s.info.ID)
	return stream.Position{Epoch: c.epoch, Number: m.Since}, nil
}

// list keeps the list of channels of a socket that has joined or left one.
func (st *step) list(c *channel, e stream.MemberEvent) {
	s := st.l.socketLocked(e.Socket)
	switch e.Event {
	case stream.Joined:
		st.saveSocket(s)
		s.joined(c.is.Name)
	case stream.Left:
		st.saveSocket(s)
		s.left(c.is.Name)
	}
}

func (st *step) leave(name string) stream.Position {
	if st.l.channelLocked(name) == nil {
		return stream.Position{}
	}
	c := st.channel(name)
	events := c.is.Leave(st.socket.info.ID)
	if len(events) == 0 {
		return stream.Position{}
	}
	st.list(c, events[0])
	st.append(c, events)
	return c.position()
}

// edit changes the state of a channel, which t holds.
func (st *step) edit(op *stream.Op, t *tx) error {
	c := st.l.channelLocked(op.Channel)
	member := false
	if c != nil && st.socket != nil {
		_, member = c.is.Member(st.socket.info.ID)
	}
	if !member && !t.mayEdit(op.Channel) {
		return fmt.Errorf("%w: channel %q", stream.ErrNotMember, op.Channel)
	}
	if err := st.channel(op.Channel).is.Edit(op.Change); err != nil {
		return fmt.Errorf("memlog: state of channel %q: %w", op.Channel, err)
	}
	return nil
}

func (st *step) away(window time.Duration) {
	s := st.socket
	st.saveSocket(s)
	s.info.AwayUntil = st.now.Add(max(window, 0))
	for _, name := range s.info.Channels {
		c := st.channel(name)
		st.append(c, c.is.Away(s.info.ID))
	}
}

// endSocket removes the socket for good.
func (st *step) endSocket() {
	l, s := st.l, st.socket
	for _, name := range s.info.Channels {
		st.leave(name)
	}
	l.removeSocketLocked(s)
	st.undo = append(st.undo, func() { l.addSocketLocked(s) })
	st.socket = nil
}

func (st *step) renumber(op *stream.Op) {
	s := st.socket
	st.saveSocket(s)
	s.line.renumber(op.Out)
	s.info.In = op.In
	if s.up != nil {
		s.up.renumber(op.In)
	}
}
