package live

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lazysession/session/live/stream"
)

// Errors of Channel.Join.
var (
	ErrTaken = stream.ErrTaken // another socket has the seat
	ErrFull  = stream.ErrFull  // the channel has as many members as Rules.Capacity
)

// A TakenPolicy says what happens to a join to a seat that another socket has.
type TakenPolicy uint8

const (
	RefuseNew  TakenPolicy = iota // the join is ErrTaken
	ReplaceOld                    // the other socket leaves the channel
)

// Rules say how many members a channel has, and on which seats. They have to be the same on all nodes.
type Rules struct {
	// Seats are the names of places, such as "left" and "right"; empty: any name. A name has one member, and the empty
	// name any number.
	Seats []string

	Capacity int         // how many members there may be; 0: any number
	Taken    TakenPolicy // RefuseNew (default) or ReplaceOld
	Keep     Retention   // for members that come back; default 1,000 messages, 1 MiB, 5 min
}

// A Channel is a group of sockets, on any nodes, that get the same messages in the same order and share a state. It
// exists while it has members. Goroutines may share it.
type Channel struct {
	hub   *Hub
	name  string
	rules Rules
	inner stream.Rules
}

// Channel returns the channel of a name. It makes nothing: the first member does. nil rules are the zero Rules:
// anybody, any number. The name is any text of 1 to 255 bytes without NUL.
func (h *Hub) Channel(name string, r *Rules) *Channel {
	c := &Channel{hub: h, name: name}
	if r != nil {
		c.rules = *r
		c.rules.Seats = slices.Clone(r.Seats)
	}
	c.inner = stream.Rules{Seats: c.rules.Seats, Capacity: c.rules.Capacity, Replace: c.rules.Taken == ReplaceOld}
	return c
}

// Name returns the channel's name.
func (c *Channel) Name() string { return c.name }

// Join makes a socket of this node a member, at once. The client gets the channel's messages from here on. A join to
// the seat that the socket has already is no error, and to another seat it has to leave first. It returns ErrTaken,
// ErrFull, or an error that names a seat which the rules don't have.
func (c *Channel) Join(ctx context.Context, s *Socket, seat string) (*Member, error) {
	if err := checkChannel(c.name); err != nil {
		return nil, err
	}
	mb := &Member{channel: c, socket: s.id, seat: seat, local: s}
	if s.ctx.Err() != nil {
		return mb, context.Cause(s.ctx)
	}
	s.joining.Lock()
	defer s.joining.Unlock()
	if err := s.outbox.mayJoin(c.name, seat); err != nil {
		return mb, err
	}
	sub := s.hub.subscribe(s, c.name)
	at, err := c.hub.log.Commit(ctx, &stream.Batch{Lease: s.lease, Ops: []stream.Op{
		{Kind: stream.Join, Channel: c.name, Seat: seat, Rules: c.inner, Keep: c.rules.Keep},
	}})
	if err != nil || at[0].Number == 0 { // an error, or it is there already
		s.hub.unsubscribe(sub)
		return mb, err
	}
	if !s.outbox.begin(sub, stream.Position{Epoch: at[0].Epoch, Number: at[0].Number - 1}, seat) {
		s.hub.unsubscribe(sub) // the client is told of the join when it comes back
		return mb, context.Cause(s.ctx)
	}
	return mb, nil
}

func checkChannel(name string) error {
	const maxName = 255
	if name == "" || len(name) > maxName || strings.ContainsRune(name, 0) || !utf8.ValidString(name) {
		return fmt.Errorf("live: invalid channel name %.40q: want 1 to %d bytes of UTF-8 without NUL", name, maxName)
	}
	return nil
}

// Send sends one JSON document to every member, on every node. When it returns nil, the message has its number in the
// channel's stream and is as durable as the log is. Within Endpoint.Message it is sent when the message is committed.
// Without members it goes nowhere.
func (c *Channel) Send(ctx context.Context, data []byte) error {
	return c.hub.send(ctx, stream.Op{Kind: stream.Send, Stream: stream.Of(c.name), Data: data, Keep: c.rules.Keep})
}

// MemberInfo is what is known of a member.
type MemberInfo struct {
	Socket ID
	Owner  string // of its session, when the socket was last taken
	Seat   string
	Away   bool // its connection broke, and it may still come back
}

// Members returns the members on all nodes, in the order of joining.
func (c *Channel) Members(ctx context.Context) ([]MemberInfo, error) {
	ch, err := c.hub.log.Channel(ctx, c.name)
	if err != nil || ch == nil {
		return nil, err
	}
	infos := make([]MemberInfo, len(ch.Members))
	for i, m := range ch.Members {
		infos[i] = MemberInfo{Socket: m.Socket, Owner: m.Owner, Seat: m.Seat, Away: m.Away}
	}
	return infos, nil
}

// Do runs f on the state that the members share: session keys and counters work on f's ctx. While it runs, no other Do
// of this channel does, on any node, so what f reads stays true until it is done. What f changes and sends is committed
// when it returns nil; within Endpoint.Message, with the message, which holds the channel until then. Where it returns
// an error, its changes are dropped. A Do within a Do of the same channel is an error. The state ends with the last
// member.
//
// Where two calls wait for each other's channels, one of them runs f again, with nothing left of its first try.
func (c *Channel) Do(ctx context.Context, f func(ctx context.Context) error) error {
	if u := unitOf(ctx); u != nil {
		return c.do(ctx, u, f)
	}
	return c.hub.retry(ctx, func(u *unit) error {
		ctx := context.WithValue(ctx, stream.TransactorKey{}, u)
		if err := c.do(ctx, u, f); err != nil {
			return err
		}
		return u.commit(ctx, &stream.Batch{})
	})
}

func (c *Channel) do(ctx context.Context, u *unit, f func(ctx context.Context) error) error {
	held, err := u.hold(ctx, c.name)
	if err != nil {
		return err
	}
	sent := u.sent()
	err = held.do(ctx, c.hub.states, f)
	if err != nil {
		u.undo(sent)
	}
	return err
}

// A Member is a socket's place in a channel. Goroutines may share it.
type Member struct {
	channel *Channel
	socket  ID
	seat    string
	local   *Socket // nil where the socket is on another node
}

// Socket returns the ID of the member's socket.
func (mb *Member) Socket() ID { return mb.socket }

// Seat returns the name of the member's seat; empty for a place without a name.
func (mb *Member) Seat() string { return mb.seat }

// Channel returns the channel.
func (mb *Member) Channel() *Channel { return mb.channel }

// Wait returns when every seat of the rules is taken, or the Capacity is reached. It holds no thread, and what the
// client sends meanwhile is read. It ends with ctx, and with an error when the socket leaves or its connection breaks.
// Rules without Seats and Capacity have nothing to wait for.
func (mb *Member) Wait(ctx context.Context) error {
	c := mb.channel
	if len(c.rules.Seats) == 0 && c.rules.Capacity == 0 {
		return nil
	}
	if mb.local == nil {
		return errNotHere
	}
	mb.local.waits()
	for {
		grown := c.hub.growth(mb.local, c.name)
		ch, err := c.hub.log.Channel(ctx, c.name)
		switch {
		case err != nil:
			return err
		case ch == nil || grown == nil:
			return stream.ErrNotMember
		case ch.IsFull(c.inner):
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-mb.local.ctx.Done():
			return context.Cause(mb.local.ctx)
		}
	}
}

var errNotHere = errors.New("live: the socket is on another node")

// Leave ends the membership, at once. A member that has left already is no error.
func (mb *Member) Leave(ctx context.Context) error {
	if mb.local == nil {
		return errNotHere
	}
	s, channel := mb.local, mb.channel.name
	sub := s.outbox.find(channel) // a join that comes meanwhile makes another one
	_, err := s.hub.log.Commit(ctx, &stream.Batch{Lease: s.lease, Ops: []stream.Op{
		{Kind: stream.Leave, Channel: channel},
	}})
	if err == nil {
		s.outbox.leave(sub)
	}
	return err
}
