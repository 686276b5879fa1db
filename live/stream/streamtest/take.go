package streamtest

import (
	"github.com/lazysession/session/live/stream"
)

var takeRules = []rule{
	{"take-new", "A new socket has what its claim says, numbers of 0, an epoch, no channels, and an incarnation.",
		takeNew},
	{"take-new-twice", "A new socket with the ID of another one is ErrTaken, and the other one stays as it was.",
		takeNewTwice},
	{"take-unknown", "A claim for a socket that was never there is ErrNotFound.", takeUnknown},
	{"take-foreign", "A claim for another session's socket is ErrNotFound, and fences nobody.", takeForeign},
	{"take-elsewhere", "A claim for another endpoint's socket is ErrNotFound, and fences nobody.", takeElsewhere},
	{"take-again", "Taking a socket again raises its incarnation, sets its node and owner, and keeps the rest.",
		takeAgain},
	{"take-fences", "Once a socket was taken again, a batch under the older lease is ErrFenced, and changes nothing.",
		takeFences},
}

func takeNew(p *probe) {
	from, c := p.now(), p.claim()
	s := p.take(c)
	if s.ID != c.ID || s.Session != c.Session || s.Owner != c.Owner || s.Node != c.Node || s.Endpoint != c.Endpoint {
		p.Errorf("got %+v, want what the claim says: %+v", s, c)
	}
	if s.In != 0 || s.Out.Number != 0 || s.Out.Epoch == "" || s.Incarnation == 0 {
		p.Errorf("got numbers %d and %v in incarnation %d, want 0, 0 in an epoch, and an incarnation above 0",
			s.In, s.Out, s.Incarnation)
	}
	if s.Welcomed || len(s.Channels) > 0 || !s.AwayUntil.IsZero() {
		p.Errorf("got %+v, want a socket that is not welcomed, in no channel and not away", s)
	}
	p.wantDuring("the creation time", s.Created, from)
	p.wantSocket(s)
}

// wantSocket tests that the log has the socket as it was.
func (p *probe) wantSocket(was *stream.Socket) {
	p.Helper()
	p.wantSame(p.see(was.ID), was)
}

func (p *probe) wantSame(got, want *stream.Socket) {
	p.Helper()
	if got.ID != want.ID || got.Incarnation != want.Incarnation || got.Session != want.Session ||
		got.Owner != want.Owner || got.Node != want.Node || got.Endpoint != want.Endpoint ||
		!got.Created.Equal(want.Created) ||
		got.Welcomed != want.Welcomed || got.In != want.In || got.Out != want.Out ||
		!got.AwayUntil.Equal(want.AwayUntil) || len(got.Channels) != len(want.Channels) {
		p.Errorf("socket: got %+v, want %+v", got, want)
	}
}

func takeNewTwice(p *probe) {
	c := p.claim()
	s := p.take(c)
	_, err := p.log.Take(p.ctx, c)
	p.wantError("Take", err, stream.ErrTaken)
	p.wantSocket(s)
}

func takeUnknown(p *probe) {
	c := p.claim()
	c.New = false
	_, err := p.log.Take(p.ctx, c)
	p.wantError("Take", err, stream.ErrNotFound)
	if s := p.look(c.ID); s != nil {
		p.Errorf("the socket is listed: %+v", s)
	}
}

func takeForeign(p *probe) {
	p.wantNotTaken(func(c *stream.Claim) { c.Session = newSession() })
}

func takeElsewhere(p *probe) {
	p.wantNotTaken(func(c *stream.Claim) { c.Endpoint = "endpoint b" })
}

// wantNotTaken tests that a claim for a socket is refused once it was changed.
func (p *probe) wantNotTaken(change func(*stream.Claim)) {
	p.Helper()
	s := p.socket()
	c := again(s)
	change(c)
	_, err := p.log.Take(p.ctx, c)
	p.wantError("Take", err, stream.ErrNotFound)
	p.wantSocket(s)
	p.commit(batch(s, send(stream.Own(s.ID), "still mine")))
}

func takeAgain(p *probe) {
	s, name := p.socket(), newName()
	p.commit(message(s, 1, stream.Op{Kind: stream.Welcome}, send(stream.Own(s.ID), "a"), join(name, "")))
	c := again(s)
	c.Owner = newName()
	got := p.take(c)
	if got.Incarnation <= s.Incarnation {
		p.Errorf("incarnation: got %d after %d", got.Incarnation, s.Incarnation)
	}
	want := *s
	want.Incarnation, want.Node, want.Owner = got.Incarnation, c.Node, c.Owner
	want.Welcomed, want.In, want.Out.Number, want.Channels = true, 1, 1, []string{name}
	p.wantSame(got, &want)
	p.wantSocket(got)
	p.commit(message(got, 2))
}

func takeFences(p *probe) {
	s, other := p.socket(), p.socket()
	now := p.take(again(s))
	name := newName()
	p.wantCommit(message(s, 1, send(stream.Own(other.ID), "a"), join(name, "")), stream.ErrFenced)
	p.wantCommit(batch(s, stream.Op{Kind: stream.End}), stream.ErrFenced)
	p.wantSocket(now)
	p.wantSocket(other)
	p.wantNoChannel(name)
}
