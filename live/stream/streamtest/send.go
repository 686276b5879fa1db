package streamtest

import (
	"fmt"
	"slices"

	"github.com/lazysession/session/live/stream"
)

var sendRules = []rule{
	{"send", "What is sent gets the numbers 1, 2, 3, the position that Commit returns, and the log's time.", sending},
	{"send-many", "Several messages of one batch come in its order, each with the position of its own operation.",
		sendMany},
	{"send-channel", "What is sent to a channel is in its stream, with the members' events in one numbering.",
		sendChannel},
	{"send-nobody", "A batch without a lease sends.", sendNobody},
	{"send-absent", "What is sent to a socket or a channel that isn't there is dropped, without an error.", sendAbsent},
	{"send-borrows", "The log copies what it keeps: the sender may use its bytes again.", sendBorrows},
	{"send-bytes", "Data is kept byte for byte, whatever it is.", sendBytes},
	{"streams-apart", "Each stream has numbers of its own.", streamsApart},
}

func sending(p *probe) {
	s := p.socket()
	own, from := stream.Own(s.ID), p.now()
	for n := range uint64(3) {
		at := p.commit(batch(s, send(own, fmt.Sprint("m", n))))
		if want := (stream.Position{Epoch: s.Out.Epoch, Number: n + 1}); at[0] != want {
			p.Errorf("position: got %v, want %v", at[0], want)
		}
	}
	p.wantRead(own, s.Out, "m0", "m1", "m2")
	for _, m := range p.read(own, s.Out) {
		p.wantDuring("the time of a message", m.Time, from)
		if m.Member {
			p.Error("a message that was sent is marked as an event")
		}
	}
	if out := p.see(s.ID).Out; out != (stream.Position{Epoch: s.Out.Epoch, Number: 3}) {
		p.Errorf("Out: got %v, want number 3", out)
	}
}

func sendMany(p *probe) {
	a, b := p.socket(), p.socket()
	at := p.commit(batch(a,
		send(stream.Own(b.ID), "b1"), stream.Op{Kind: stream.Welcome}, send(stream.Own(a.ID), "a1"),
		send(stream.Own(b.ID), "b2"), send(stream.Own(b.ID), "b3")))
	want := []stream.Position{
		{Epoch: b.Out.Epoch, Number: 1}, {}, {Epoch: a.Out.Epoch, Number: 1},
		{Epoch: b.Out.Epoch, Number: 2}, {Epoch: b.Out.Epoch, Number: 3},
	}
	if !slices.Equal(at, want) {
		p.Errorf("positions: got %v, want %v", at, want)
	}
	p.wantRead(stream.Own(a.ID), a.Out, "a1")
	p.wantRead(stream.Own(b.ID), b.Out, "b1", "b2", "b3")
}

func sendChannel(p *probe) {
	a, b, name := p.socket(), p.socket(), newName()
	p.commit(batch(a, join(name, ""), send(stream.Of(name), "m1")))
	p.commit(batch(b, join(name, "")))
	at := p.commit(batch(b, send(stream.Of(name), "m2")))
	c := p.channel(name)
	p.wantRead(stream.Of(name), stream.Position{Epoch: c.Top.Epoch}, "joined", "m1", "joined", "m2")
	if c.Top != at[0] || c.Top.Number != 4 {
		p.Errorf("top: got %v, want number 4, as Commit returned: %v", c.Top, at[0])
	}
}

func sendNobody(p *probe) {
	s := p.socket()
	p.commit(batch(nil, send(stream.Own(s.ID), "a")))
	p.wantRead(stream.Own(s.ID), s.Out, "a")
}

func sendAbsent(p *probe) {
	s := p.socket()
	at := p.commit(batch(s,
		send(stream.Own(stream.NewID()), "a"), send(stream.Of(newName()), "b"), send(stream.Own(s.ID), "c")))
	if at[0] != (stream.Position{}) || at[1] != (stream.Position{}) || at[2].Number != 1 {
		p.Errorf("positions: got %v, want none, none and number 1", at)
	}
}

func sendBorrows(p *probe) {
	s := p.socket()
	data := []byte("mine")
	op := stream.Op{Kind: stream.Send, Stream: stream.Own(s.ID), Data: data}
	p.commit(batch(s, op))
	copy(data, "used")
	p.wantRead(stream.Own(s.ID), s.Out, "mine")
}

func sendBytes(p *probe) {
	s := p.socket()
	texts := []string{"", "\x00", "\xff\xfe", "ü€😀", `{"a":"b"}`, string(make([]byte, 70_000))}
	for _, text := range texts {
		p.commit(batch(s, send(stream.Own(s.ID), text)))
	}
	p.wantRead(stream.Own(s.ID), s.Out, texts...)
}

func streamsApart(p *probe) {
	a, b := p.socket(), p.socket()
	x, y := newName(), newName()
	p.commit(batch(a, join(x, ""), join(y, "")))
	for range 3 {
		p.commit(batch(a, send(stream.Own(a.ID), "a"), send(stream.Of(x), "x")))
	}
	at := p.commit(batch(b, send(stream.Own(b.ID), "b"), send(stream.Of(y), "y")))
	if at[0].Number != 1 || at[1].Number != 2 {
		p.Errorf("numbers: got %d and %d, want 1 and 2", at[0].Number, at[1].Number)
	}
}
