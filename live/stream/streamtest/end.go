package streamtest

import "github.com/lazysession/session/live/stream"

var endRules = []rule{
	{"end", "A socket that has ended is not there: not to take, to list, to commit for, or to send to.", end},
	{"end-leaves", "A socket that ends leaves its channels, and the others are told.", endLeaves},
	{"end-stream", "The socket's own stream goes with it.", endStream},
}

func ending(s *stream.Socket, before ...stream.Op) *stream.Batch {
	return batch(s, append(before, stream.Op{Kind: stream.End})...)
}

func end(p *probe) {
	s, other := p.socket(), p.socket()
	p.commit(ending(s, send(stream.Own(other.ID), "bye")))
	p.wantRead(stream.Own(other.ID), other.Out, "bye")
	_, err := p.log.Take(p.ctx, again(s))
	p.wantError("Take", err, stream.ErrNotFound)
	p.wantCommit(message(s, 1), stream.ErrFenced)
	if at := p.commit(batch(other, send(stream.Own(s.ID), "hello?"))); at[0] != (stream.Position{}) {
		p.Errorf("a message to the socket has position %v", at[0])
	}
	if got := p.look(s.ID); got != nil {
		p.Errorf("the socket is listed: %+v", got)
	}
	if got := p.list(stream.Filter{Session: s.Session}); len(got) > 0 {
		p.Errorf("the socket is listed in its session: %+v", got[0])
	}
}

func endLeaves(p *probe) {
	a, b := p.socket(), p.socket()
	x, y := newName(), newName()
	p.commit(batch(a, join(x, ""), join(y, "")))
	p.commit(batch(b, join(x, "")))
	p.commit(ending(a))
	p.wantMembers(x, b)
	p.wantNoChannel(y)
	p.wantRead(stream.Of(x), stream.Position{Epoch: p.channel(x).Top.Epoch}, "joined", "joined", "left")
}

func endStream(p *probe) {
	s := p.socket()
	own := stream.Own(s.ID)
	at := p.commit(batch(s, send(own, "a")))[0]
	p.commit(ending(s))
	p.wantGap(own, at, stream.Reset)
	p.wantGap(own, s.Out, stream.Reset)
}
