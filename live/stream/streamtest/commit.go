package streamtest

import (
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store"
)

var commitRules = []rule{
	{"in-order", "A batch handles only the next upward message; any other number is ErrOrder, and changes nothing.",
		inOrder},
	{"in-without", "A batch without an upward message leaves their number as it is.", inWithout},
	{"welcome", "Welcome is kept.", welcome},
	{"refused-whole", "A batch that is refused for its last operation changes nothing at all.", refusedWhole},
	{"commit-nothing", "A batch without operations is no error.", commitNothing},
	{"received", "What was received can be read under its number, or is an old gap where the log doesn't keep it.",
		received},
}

func inOrder(p *probe) {
	s := p.socket()
	own := stream.Own(s.ID)
	p.commit(message(s, 1, send(own, "a")))
	for _, wrong := range []uint64{1, 3, 1 << 40} {
		p.wantCommit(message(s, wrong, send(own, "wrong")), stream.ErrOrder)
	}
	p.commit(message(s, 2, send(own, "b")))
	p.wantRead(own, s.Out, "a", "b")
	if in := p.see(s.ID).In; in != 2 {
		p.Errorf("In: got %d, want 2", in)
	}
}

func inWithout(p *probe) {
	s := p.socket()
	p.commit(message(s, 1))
	p.commit(batch(s, send(stream.Own(s.ID), "a")))
	if in := p.see(s.ID).In; in != 1 {
		p.Errorf("In: got %d, want 1", in)
	}
}

func welcome(p *probe) {
	s := p.socket()
	p.commit(batch(s, stream.Op{Kind: stream.Welcome}))
	if !p.see(s.ID).Welcomed {
		p.Error("the socket is not welcomed")
	}
	if !p.take(again(s)).Welcomed {
		p.Error("the socket is not welcomed once it was taken again")
	}
}

func refusedWhole(p *probe) {
	holder, s, other := p.socket(), p.socket(), p.socket()
	seat, room, lobby, fresh := newName(), newName(), newName(), newName()
	p.commit(batch(holder, join(seat, "left"), join(room, "")))
	p.commit(batch(s, join(room, ""), join(lobby, ""), edit(lobby, set("text", `"x"`))))
	s, holder, other = p.see(s.ID), p.see(holder.ID), p.see(other.ID)
	top := p.channel(room).Top

	rules := stream.Rules{Capacity: 1}
	for _, last := range []struct {
		op   stream.Op
		want error
	}{
		{join(seat, "left"), stream.ErrTaken},
		{stream.Op{Kind: stream.Join, Channel: seat, Rules: rules}, stream.ErrFull},
		{edit(seat, set("a", "1")), stream.ErrNotMember},
		{edit(lobby, add("text", 1)), store.ErrNotInteger},
	} {
		p.wantCommit(message(s, 1,
			stream.Op{Kind: stream.Welcome},
			send(stream.Own(other.ID), "a"), send(stream.Own(s.ID), "b"), send(stream.Of(room), "c"),
			edit(room, set("n", "1")), join(fresh, ""), leave(room), last.op), last.want)
	}
	for _, was := range []*stream.Socket{s, holder, other} {
		p.wantSocket(was)
	}
	p.wantMembers(room, holder, s)
	p.wantMembers(seat, holder)
	p.wantNoChannel(fresh)
	p.wantState(p.channel(room), "n", "")
	p.wantRead(stream.Of(room), top)
	p.commit(message(s, 1, send(stream.Own(s.ID), "d"), send(stream.Of(room), "e")))
	p.wantRead(stream.Own(s.ID), s.Out, "d")
	p.wantRead(stream.Of(room), top, "e")
}

func commitNothing(p *probe) {
	s := p.socket()
	p.commit(batch(s))
	p.commit(&stream.Batch{})
	p.wantSocket(s)
}

func received(p *probe) {
	s := p.socket()
	from, name := p.now(), stream.Received(s.ID)
	p.commit(message(s, 1))
	p.commit(message(s, 2))
	ms, err := p.log.Read(p.ctx, name, s.Out, 10)
	if err != nil {
		if at := p.wantGap(name, s.Out, stream.Old); at != (stream.Position{Epoch: s.Out.Epoch, Number: 2}) {
			p.Errorf("reading goes on after %v, want the last message that was handled", at)
		}
		return
	}
	p.wantRead(name, s.Out, "up 1", "up 2")
	for _, m := range ms {
		p.wantDuring("the time of a message", m.Time, from)
	}
}
