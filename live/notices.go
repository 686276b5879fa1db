package live

import (
	"context"
	"errors"

	"github.com/lazysession/session/live/stream"
)

// maxNotices is how many member events wait in memory until a socket's endpoint is told of them. Those behind them are
// read again from the channel's stream, so that an endpoint that takes long costs no memory.
const maxNotices = 64

// A notice is a member event that the endpoint is to be told of.
type notice struct {
	channel string
	event   *stream.MemberEvent
}

// A stretch is the part of a channel's stream whose member events the endpoint is to be told of.
type stretch struct {
	sub   *subscription
	after stream.Position
	to    uint64 // 0: there is nothing
}

// noticeLocked notes a member event that the client is sent now, for the endpoint.
func (o *outbox) noticeLocked(sub *subscription, e entry) {
	later := &sub.later
	waits := later.to != 0 && later.after.Epoch == sub.at.Epoch
	switch {
	case o.s.endpoint.Member == nil:
		return
	case waits:
		later.to = e.number
	case len(o.notices) < maxNotices:
		o.notices = append(o.notices, notice{channel: sub.channelName(), event: e.event})
	default:
		after := stream.Position{Epoch: sub.at.Epoch, Number: e.number - 1}
		*later = stretch{sub: sub, after: after, to: e.number}
	}
	if !o.noticing {
		o.noticing = true
		o.s.inbox.push(o.s.tellOfMembers)
	}
}

// takeNotices returns what the endpoint is to be told now. What comes later is for another task of the inbox.
func (o *outbox) takeNotices() (first []notice, later []stretch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	first, o.notices, o.noticing = o.notices, nil, false
	for _, sub := range o.subs {
		if sub.later.to != 0 {
			later = append(later, sub.later)
			sub.later = stretch{}
		}
	}
	return first, later
}

// tellOfMembers tells the endpoint what has happened to members.
func (s *Socket) tellOfMembers() {
	first, later := s.outbox.takeNotices()
	for _, n := range first {
		s.tellOf(n)
	}
	for _, part := range later {
		s.tellOfStretch(part)
	}
}

// tellOfStretch reads a part of a channel's stream again. What the channel keeps no more is left out.
func (s *Socket) tellOfStretch(part stretch) {
	const some = 32
	for at := part.after; at.Number < part.to; {
		entries, err := part.sub.read(at, some)
		if gap, ok := errors.AsType[*stream.GapError](err); ok && gap.At.Epoch == at.Epoch && gap.At.Number > at.Number {
			at = gap.At
			continue
		}
		if err != nil && !errors.Is(err, stream.ErrGap) && !errors.Is(err, stream.ErrNotMember) {
			s.failed(err)
		}
		if len(entries) == 0 {
			return
		}
		for _, e := range entries {
			if at.Number = e.number; e.event != nil && e.number <= part.to {
				s.tellOf(notice{channel: part.sub.channelName(), event: e.event})
			}
		}
	}
}

// tellOf calls Endpoint.Member.
func (s *Socket) tellOf(n notice) {
	channel, e := s.hub.Channel(n.channel, nil), n.event
	mb := &Member{channel: channel, socket: e.Socket, seat: e.Seat, local: s.hub.socket(e.Socket)}
	err := s.call(s.ctx, nil, func(ctx context.Context) error {
		s.endpoint.Member(ctx, mb, e.Event)
		return nil
	})
	if err != nil && err != errPanicked {
		s.hub.logError(s, "committing the session", err)
	}
}
