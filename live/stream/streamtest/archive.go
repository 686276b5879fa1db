package streamtest

import (
	"slices"
	"time"

	"github.com/lazysession/session/live/stream"
)

var archiveRules = []rule{
	{"archive-numbers", "A log that was opened again has all numbers, epochs and messages as they were.", archiveNumbers},
	{"archive-sockets", "It has its sockets: each of the same session, welcomed as it was, and away until it is taken.",
		archiveSockets},
	{"archive-fences", "Incarnations go on, and a lease from before is fenced once the socket was taken.", archiveFences},
	{"archive-channels", "It has its channels: members on their seats, state, and messages.", archiveChannels},
	{"archive-ended", "What had ended before is not there.", archiveEnded},
	{"archive-twice", "It can be closed with an archive and opened once more.", archiveTwice},
	{"archive-bytes", "Names, owners and data come back byte for byte.", archiveBytes},
}

// restart closes the log with an archive, and opens it again.
func (p *probe) restart() {
	p.Helper()
	p.close(true)
	l := p.reopen()
	if l == nil {
		p.Fatal("there is no log")
	}
	p.use(l)
}

// firstTime returns the time of the first message after a position.
func (p *probe) firstTime(s stream.Name, after stream.Position) time.Time {
	p.Helper()
	ms := p.read(s, after)
	if len(ms) == 0 {
		p.Fatalf("no messages after %v", after)
	}
	return ms[0].Time
}

func archiveNumbers(p *probe) {
	s := p.socket()
	own := stream.Own(s.ID)
	at := p.commit(message(s, 1, send(own, "a"), send(own, "b")))
	from := p.firstTime(own, s.Out)
	p.restart()
	got := p.see(s.ID)
	if got.In != 1 || got.Out != at[1] {
		p.Errorf("numbers: got In %d and Out %v, want 1 and %v", got.In, got.Out, at[1])
	}
	p.wantRead(own, s.Out, "a", "b")
	p.wantRead(own, at[0], "b")
	if got := p.firstTime(own, s.Out); !got.Equal(from) {
		p.Errorf("the time of a message: got %v, want %v", got, from)
	}
	back := p.take(again(s))
	next := p.commit(message(back, 2, send(own, "c")))[0]
	if next != (stream.Position{Epoch: s.Out.Epoch, Number: 3}) {
		p.Errorf("the next message: got position %v, want number 3 in the same epoch", next)
	}
}

func archiveSockets(p *probe) {
	was := p.socket()
	p.commit(batch(was, stream.Op{Kind: stream.Welcome}))
	p.restart()
	s := p.see(was.ID)
	if s.Session != was.Session || s.Owner != was.Owner || !s.Created.Equal(was.Created) || !s.Welcomed {
		p.Errorf("got %+v, want %+v, welcomed", s, was)
	}
	if s.AwayUntil.IsZero() {
		p.Error("the socket is not away")
	}
	if back := p.take(again(was)); !back.AwayUntil.IsZero() {
		p.Error("the socket is away once it was taken")
	}
}

func archiveFences(p *probe) {
	was := p.socket()
	was = p.take(again(was))
	p.restart()
	now := p.take(again(was))
	if now.Incarnation <= was.Incarnation {
		p.Errorf("incarnation: got %d after %d", now.Incarnation, was.Incarnation)
	}
	p.wantCommit(batch(was, send(stream.Own(was.ID), "a")), stream.ErrFenced)
}

func archiveChannels(p *probe) {
	a, b, name := p.socket(), p.socket(), newName()
	p.commit(batch(a, join(name, "left"), edit(name, set("n", "1.0"))))
	p.commit(batch(b, join(name, ""), send(stream.Of(name), "m")))
	was := p.channel(name)
	p.restart()
	c := p.channel(name)
	p.wantMembers(name, a, b)
	for i, m := range c.Members {
		if !m.Away {
			p.Errorf("member %v is not away", m.Socket)
		}
		if m.Away = false; m != was.Members[i] {
			p.Errorf("member: got %+v, want %+v", m, was.Members[i])
		}
	}
	p.wantState(c, "n", "1.0")
	p.wantRead(stream.Of(name), stream.Position{Epoch: was.Top.Epoch}, "joined", "joined", "m")
	if c.Top != was.Top {
		p.Errorf("top: got %v, want %v", c.Top, was.Top)
	}
	if got := p.see(a.ID).Channels; !slices.Equal(got, []string{name}) {
		p.Errorf("the socket's channels: got %q, want %q", got, name)
	}
	back := p.take(again(a))
	p.commit(batch(back, send(stream.Of(name), "on")))
	p.wantRead(stream.Of(name), was.Top, "back", "on")
}

func archiveEnded(p *probe) {
	s, name := p.socket(), newName()
	at := p.commit(batch(s, join(name, "")))[0]
	p.commit(ending(s))
	p.restart()
	p.wantNoChannel(name)
	p.wantGap(stream.Of(name), at, stream.Reset)
	if got := p.look(s.ID); got != nil {
		p.Errorf("the socket is there: %+v", got)
	}
}

func archiveTwice(p *probe) {
	s := p.socket()
	own := stream.Own(s.ID)
	p.commit(batch(s, send(own, "a")))
	p.restart()
	back := p.take(again(s))
	p.commit(batch(back, send(own, "b")))
	p.restart()
	p.wantRead(own, s.Out, "a", "b")
}

func archiveBytes(p *probe) {
	const odd = "\"\n\t😀" // texts are UTF-8, and data is any bytes
	const data = "\x00\xff" + odd
	c, name := p.claim(), newName()+odd
	c.Owner += odd
	s := p.take(c)
	p.commit(batch(s, join(name, odd), edit(name, set(odd, `"😀"`)), send(stream.Own(s.ID), data)))
	p.restart()
	if got := p.see(s.ID); got.Owner != c.Owner || !slices.Equal(got.Channels, []string{name}) {
		p.Errorf("got %+v, want owner %q in channel %q", got, c.Owner, name)
	}
	is := p.channel(name)
	if m, _ := is.Member(s.ID); m.Seat != odd {
		p.Errorf("seat: got %q, want %q", m.Seat, odd)
	}
	p.wantState(is, odd, `"😀"`)
	p.wantRead(stream.Own(s.ID), s.Out, data)
}
