package streamtest

import (
	"slices"

	"github.com/lazysession/session/live/stream"
)

var channelRules = []rule{
	{"join", "A join makes a member, which the channel, the socket and its stream tell, at the number it returns.",
		joining},
	{"join-again", "Joining again where the socket sits changes nothing.", joinAgain},
	{"join-moves", "Joining another seat leaves the one before.", joinMoves},
	{"seat-taken", "A seat has one member: another socket is refused with ErrTaken.", seatTaken},
	{"seat-unknown", "A seat that the rules don't have is refused.", seatUnknown},
	{"seat-replaced", "Where the rules say so, a join to a taken seat replaces its member, who is in the channel no more.",
		seatReplaced},
	{"capacity", "A channel takes as many members as its rules say; one more is refused with ErrFull.", capacity},
	{"full", "Members are told when every seat is taken.", full},
	{"leave", "A member that leaves is no member, and the others are told at the number that the Leave returns.", leaving},
	{"leave-nothing", "Leaving where the socket is no member is no error, and changes nothing.", leaveNothing},
	{"last-leave", "The last one to leave removes the channel with its messages and its state.", lastLeave},
	{"moved-within", "A channel that has a member at the end of the batch again stays.", movedWithin},
}

func joining(p *probe) {
	a, b, name := p.socket(), p.socket(), newName()
	p.wantNoChannel(name)
	p.commit(batch(a, join(name, "left")))
	at := p.commit(batch(b, join(name, "")))[0]
	c := p.channel(name)
	if c.Name != name || c.Top != at || at.Number != 2 {
		p.Errorf("channel: got name %q and top %v, want %q and the join's position, number 2: %v", c.Name, c.Top, name, at)
	}
	want := []stream.Member{
		{Socket: a.ID, Session: a.Session, Owner: a.Owner, Seat: "left", Since: 1},
		{Socket: b.ID, Session: b.Session, Owner: b.Owner, Since: 2},
	}
	if !slices.Equal(c.Members, want) {
		p.Errorf("members: got %+v, want %+v", c.Members, want)
	}
	if got := p.see(b.ID).Channels; !slices.Equal(got, []string{name}) {
		p.Errorf("the socket's channels: got %q, want %q", got, name)
	}
	ms := p.read(stream.Of(name), stream.Position{Epoch: at.Epoch, Number: 1})
	if len(ms) != 1 || !ms[0].Member {
		p.Fatalf("after the first join: got %q, want an event", texts(ms))
	}
	e, err := stream.DecodeMemberEvent(ms[0].Data)
	if err != nil || e.Event != stream.Joined || e.Socket != b.ID {
		p.Errorf("the event: got %+v, error %v, want that %v has joined", e, err, b.ID)
	}
}

func joinAgain(p *probe) {
	s, name := p.socket(), newName()
	p.commit(batch(s, join(name, "left")))
	c := p.channel(name)
	if at := p.commit(batch(s, join(name, "left"))); at[0] != (stream.Position{}) {
		p.Errorf("position of the second join: got %v, want none", at[0])
	}
	if got := p.channel(name); got.Top != c.Top || !slices.Equal(got.Members, c.Members) {
		p.Errorf("channel: got %+v, want %+v", got, c)
	}
	if got := p.see(s.ID).Channels; !slices.Equal(got, []string{name}) {
		p.Errorf("the socket's channels: got %q, want %q once", got, name)
	}
}

func joinMoves(p *probe) {
	s, name := p.socket(), newName()
	p.commit(batch(s, join(name, "left")))
	at := p.commit(batch(s, join(name, "right")))[0]
	c := p.channel(name)
	if m, _ := c.Member(s.ID); len(c.Members) != 1 || m.Seat != "right" || m.Since != 3 || at.Number != 3 {
		p.Errorf("got members %+v at %v, want one on the right since number 3", c.Members, at)
	}
	p.wantRead(stream.Of(name), stream.Position{Epoch: c.Top.Epoch}, "joined", "left", "joined")
	if got := p.see(s.ID).Channels; !slices.Equal(got, []string{name}) {
		p.Errorf("the socket's channels: got %q, want %q once", got, name)
	}
}

func seatTaken(p *probe) {
	a, b, name := p.socket(), p.socket(), newName()
	p.commit(batch(a, join(name, "left")))
	p.wantCommit(batch(b, join(name, "left")), stream.ErrTaken)
	p.wantMembers(name, a)
	p.commit(batch(a, leave(name)))
	p.commit(batch(b, join(name, "left")))
	p.wantMembers(name, b)
}

func seatUnknown(p *probe) {
	s, name := p.socket(), newName()
	op := join(name, "middle")
	op.Rules.Seats = []string{"left", "right"}
	if _, err := p.tryCommit(batch(s, op)); err == nil {
		p.Error("Commit: no error")
	}
	p.wantNoChannel(name)
}

func seatReplaced(p *probe) {
	a, b, name := p.socket(), p.socket(), newName()
	p.commit(batch(a, join(name, "left")))
	op := join(name, "left")
	op.Rules.Replace = true
	if at := p.commit(batch(b, op))[0]; at.Number != 3 {
		p.Errorf("position of the join: got %v, want number 3", at)
	}
	p.wantMembers(name, b)
	p.wantRead(stream.Of(name), stream.Position{Epoch: p.channel(name).Top.Epoch}, "joined", "left", "joined")
	if got := p.see(a.ID).Channels; len(got) > 0 {
		p.Errorf("the channels of the one that was replaced: got %q", got)
	}
	p.wantCommit(batch(a, edit(name, set("a", "1"))), stream.ErrNotMember)
}

func capacity(p *probe) {
	name := newName()
	op := join(name, "")
	op.Rules.Capacity = 2
	a, b, c := p.socket(), p.socket(), p.socket()
	p.commit(batch(a, op))
	p.commit(batch(b, op))
	p.wantCommit(batch(c, op), stream.ErrFull)
	p.wantMembers(name, a, b)
	p.commit(batch(a, leave(name)))
	p.commit(batch(c, op))
	p.wantMembers(name, b, c)
}

func full(p *probe) {
	name := newName()
	rules := stream.Rules{Seats: []string{"left", "right"}}
	for _, seat := range rules.Seats {
		op := join(name, seat)
		op.Rules = rules
		if at := p.commit(batch(p.socket(), op))[0]; at.Number == 0 {
			p.Error("the join has no position")
		}
	}
	p.wantRead(stream.Of(name), stream.Position{Epoch: p.channel(name).Top.Epoch}, "joined", "joined", "full")
}

func leaving(p *probe) {
	a, b, name := p.socket(), p.socket(), newName()
	p.commit(batch(a, join(name, "")))
	p.commit(batch(b, join(name, "")))
	if at := p.commit(batch(a, leave(name)))[0]; at != p.channel(name).Top || at.Number != 3 {
		p.Errorf("position of the leave: got %v, want the top, number 3", at)
	}
	p.wantMembers(name, b)
	p.wantRead(stream.Of(name), stream.Position{Epoch: p.channel(name).Top.Epoch}, "joined", "joined", "left")
	if got := p.see(a.ID).Channels; len(got) > 0 {
		p.Errorf("the socket's channels: got %q", got)
	}
}

func leaveNothing(p *probe) {
	a, b, name := p.socket(), p.socket(), newName()
	p.commit(batch(b, leave(name)))
	p.wantNoChannel(name)
	p.commit(batch(a, join(name, "")))
	c := p.channel(name)
	p.commit(batch(b, leave(name)))
	p.wantMembers(name, a)
	if got := p.channel(name).Top; got != c.Top {
		p.Errorf("top: got %v, want %v", got, c.Top)
	}
}

func lastLeave(p *probe) {
	s, name := p.socket(), newName()
	at := p.commit(batch(s, join(name, ""), edit(name, set("a", "1")), send(stream.Of(name), "m")))[0]
	p.commit(batch(s, leave(name)))
	p.wantNoChannel(name)
	p.wantGap(stream.Of(name), at, stream.Reset)
	p.commit(batch(s, join(name, "")))
	c := p.channel(name)
	p.wantState(c, "a", "")
	if c.Top.Number != 1 || c.Top.Epoch == at.Epoch {
		p.Errorf("top of the new channel: got %v, want number 1 in an epoch other than %q", c.Top, at.Epoch)
	}
	p.wantGap(stream.Of(name), at, stream.Reset)
}

func movedWithin(p *probe) {
	s, name := p.socket(), newName()
	p.commit(batch(s, join(name, "left"), edit(name, set("a", "1"))))
	was := p.channel(name)
	p.commit(batch(s, leave(name), join(name, "right")))
	c := p.channel(name)
	p.wantState(c, "a", "1")
	p.wantRead(stream.Of(name), was.Top, "left", "joined")
}
