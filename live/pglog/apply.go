package pglog

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lazysession/session/live/stream"
)

// A step applies one request to a state, by way of a change: where the request is refused, the state is as it was.
type step struct {
	*change
	st     *state
	held   map[string]int64 // the channels that the request's transaction holds, and the sid of each as it was read
	socket *socket          // that a batch is for; nil for none, and after End
}

// look returns a socket to read; nil where there is none.
func (s *step) look(id stream.ID) *socket {
	one, changed := s.sockets[id]
	if !changed {
		one = s.st.sockets[id]
	}
	if one == nil || one.gone {
		return nil
	}
	return one
}

// edit returns a socket to change.
func (s *step) edit(one *socket) *socket {
	if s.sockets[one.info.ID] != one {
		own := *one
		one = &own
		s.sockets[one.info.ID] = one
	}
	return one
}

// lookChannel returns a channel to read; nil where there is none.
func (s *step) lookChannel(name string) *channel {
	c, changed := s.channels[name]
	if !changed {
		c = s.st.channels[name]
	}
	if c == nil || c.sid == 0 {
		return nil
	}
	return c
}

// channel returns a channel to change. It is made where it isn't there.
func (s *step) channel(name string) *channel {
	c := s.lookChannel(name)
	if c != nil && s.channels[name] == c {
		return c
	}
	own := channel{line: newLine(), loaded: true, is: stream.Channel{Name: name}}
	if c != nil {
		own = *c
	} else if removed := s.st.channels[name]; removed != nil {
		own.stored, own.was = removed.stored, removed.was
	}
	s.channels[name] = &own
	return &own
}

// append appends a message to a stream.
func (s *step) append(q *line, member bool, data []byte) stream.Position {
	q.top++
	s.messages = append(s.messages, message{q.sid, q.top, member, data})
	return q.position()
}

func (s *step) appendEvents(c *channel, events []stream.MemberEvent) {
	for _, e := range events {
		s.append(&c.line, true, e.Encode())
	}
}

var errEnded = errors.New("pglog: an operation on a socket after its End")

// batch applies a batch.
func (s *step) batch(b *stream.Batch) (at []stream.Position, err error) {
	if err := s.begin(b); err != nil {
		return nil, err
	}
	at = make([]stream.Position, len(b.Ops))
	for i := range b.Ops {
		if at[i], err = s.apply(&b.Ops[i]); err != nil {
			return nil, err
		}
	}
	s.finish()
	return at, nil
}

// begin tests the lease, the number, and that the channels which are held are still those that were read.
func (s *step) begin(b *stream.Batch) error {
	for name, sid := range s.held {
		now := int64(0)
		if c := s.lookChannel(name); c != nil {
			now = c.sid
		}
		if now != sid {
			return stream.ErrDeadlock
		}
	}
	if b.Lease == (stream.Lease{}) {
		return nil
	}
	one := s.look(b.Lease.Socket)
	if one == nil || one.info.Incarnation != b.Lease.Incarnation {
		return stream.ErrFenced
	}
	if b.In != 0 {
		if b.In != one.info.In+1 {
			return fmt.Errorf("%w: got %d after %d", stream.ErrOrder, b.In, one.info.In)
		}
		one = s.edit(one)
		one.info.In = b.In
	}
	s.socket = one
	return nil
}

// finish removes the channels that have no members now: a channel without a row is none.
func (s *step) finish() {
	for name, c := range s.channels {
		if c.empty() {
			s.channels[name] = &channel{loaded: true, stored: c.stored, was: c.was, is: stream.Channel{Name: name}}
		}
	}
}

func (s *step) apply(op *stream.Op) (stream.Position, error) {
	if s.socket == nil && op.Kind != stream.Send && op.Kind != stream.Edit {
		return stream.Position{}, errEnded
	}
	switch op.Kind {
	case stream.Send:
		return s.send(op), nil
	case stream.Join:
		return s.join(op)
	case stream.Leave:
		return s.leave(op.Channel), nil
	case stream.Edit:
		return stream.Position{}, s.editState(op)
	case stream.Welcome:
		s.own().info.Welcomed = true
	case stream.Away:
		s.away(s.own(), op.Window)
	case stream.End:
		s.end()
	case stream.Renumber:
		s.renumber(op)
	}
	return stream.Position{}, nil
}

// own returns the socket of the batch to change.
func (s *step) own() *socket {
	s.socket = s.edit(s.socket)
	return s.socket
}

func (s *step) send(op *stream.Op) stream.Position {
	var q *line
	if name, ok := op.Stream.Channel(); ok {
		if c := s.lookChannel(name); c == nil || c.empty() {
			return stream.Position{}
		}
		q = &s.channel(name).line
	} else {
		id, _ := op.Stream.Socket()
		one := s.look(id)
		if one == nil {
			return stream.Position{}
		}
		one = s.edit(one)
		if s.socket != nil && one.info.ID == s.socket.info.ID {
			s.socket = one
		}
		q = &one.line
	}
	q.keep = op.Keep.WithDefaults()
	return s.append(q, false, op.Data)
}

func (s *step) join(op *stream.Op) (stream.Position, error) {
	c, info := s.channel(op.Channel), s.socket.info
	c.is.Top = c.position()
	events, err := c.is.Join(stream.Member{
		Socket: info.ID, Session: info.Session, Owner: info.Owner, Seat: op.Seat,
	}, op.Rules)
	if err != nil {
		return stream.Position{}, err
	}
	if c.keep = op.Keep.WithDefaults(); len(events) == 0 {
		return stream.Position{}, nil
	}
	s.appendEvents(c, events)
	m, _ := c.is.Member(info.ID)
	return stream.Position{Epoch: c.epoch, Number: m.Since}, nil
}

func (s *step) leave(name string) stream.Position {
	if s.lookChannel(name) == nil {
		return stream.Position{}
	}
	c := s.channel(name)
	events := c.is.Leave(s.socket.info.ID)
	if len(events) == 0 {
		return stream.Position{}
	}
	s.appendEvents(c, events)
	return c.position()
}

func (s *step) editState(op *stream.Op) error {
	c, member := s.lookChannel(op.Channel), false
	if c != nil && s.socket != nil {
		_, member = c.is.Member(s.socket.info.ID)
	}
	if _, held := s.held[op.Channel]; !member && !held {
		return fmt.Errorf("%w: channel %q", stream.ErrNotMember, op.Channel)
	}
	if err := s.channel(op.Channel).is.Edit(op.Change); err != nil {
		return fmt.Errorf("pglog: state of channel %q: %w", op.Channel, err)
	}
	return nil
}

// channelsOf returns the names of the channels that a socket is in, in the order of joining.
func (s *step) channelsOf(id stream.ID) (names []string) {
	is := func(name string) bool {
		c := s.lookChannel(name)
		if c == nil {
			return false
		}
		_, in := c.is.Member(id)
		return in
	}
	for _, name := range s.st.in[id] {
		if is(name) {
			names = append(names, name)
		}
	}
	for _, name := range named(s.channels) { // that it has joined just now
		if is(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (s *step) away(one *socket, window time.Duration) {
	one.info.AwayUntil = s.st.now.Add(max(window, 0))
	for _, name := range s.channelsOf(one.info.ID) {
		c := s.channel(name)
		s.appendEvents(c, c.is.Away(one.info.ID))
	}
}

// end removes the socket for good.
func (s *step) end() {
	for _, name := range s.channelsOf(s.socket.info.ID) {
		s.leave(name)
	}
	s.own().gone = true
	s.socket = nil
}

func (s *step) renumber(op *stream.Op) {
	one := s.own()
	if op.Out < one.top {
		one.epoch = newEpoch()
		s.cuts = append(s.cuts, cut{one.sid, op.Out})
		s.messages = slices.DeleteFunc(s.messages, func(m message) bool { return m.sid == one.sid && m.number > op.Out })
	}
	one.top, one.info.In = op.Out, op.In
}

// claim gives a socket that is there to a node.
func (s *step) claim(c *stream.Claim, orphan *stream.Lease, window time.Duration) (*stream.Socket, error) {
	one := s.look(c.ID)
	switch {
	case one == nil:
		return nil, stream.ErrNotFound
	case orphan != nil:
		if one.info.Incarnation != orphan.Incarnation || !one.info.AwayUntil.IsZero() {
			return nil, stream.ErrNotFound
		}
	case c.Overdue:
		if one.info.AwayUntil.IsZero() || s.st.now.Before(one.info.AwayUntil) {
			return nil, stream.ErrNotFound
		}
	case c.Session != one.info.Session || c.Endpoint != one.info.Endpoint:
		return nil, stream.ErrNotFound
	}
	one = s.edit(one)
	one.info.Incarnation++
	one.info.Node = c.Node
	switch {
	case orphan != nil:
		s.away(one, window)
	case !c.Overdue:
		one.info.Owner, one.info.AwayUntil = c.Owner, time.Time{}
		for _, name := range s.channelsOf(c.ID) {
			ch := s.channel(name)
			s.appendEvents(ch, ch.is.Back(c.ID))
		}
	}
	return one.snapshot(s.channelsOf(c.ID)), nil
}
