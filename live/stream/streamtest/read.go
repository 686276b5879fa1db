package streamtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/lazysession/session/live/stream"
)

var readRules = []rule{
	{"read-after", "Read returns what follows a position, oldest first, and nothing at the top.", readAfter},
	{"read-max", "Read returns no more than it was asked for, from the oldest on.", readMax},
	{"read-again", "Reading takes nothing away.", readAgain},
	{"read-shared", "What Read has returned stays as it is while the stream goes on.", readShared},
	{"gap-epoch", "A position of another epoch is a reset, which leads to the top.", gapEpoch},
	{"gap-future", "A position above the top is a reset, which leads to the top in another epoch; the older one is reset.",
		gapFuture},
	{"read-absent", "A stream that isn't there has nothing after the zero position, and a reset after any other.",
		readAbsent},
	{"keep", "The newest messages are kept as the retention says.", keep},
	{"keep-bounded", "What the retention doesn't keep is gone in the end, and a position before it is an old gap.",
		keepBounded},
	{"keep-newest", "The newest message is kept, even if it is larger than all that is to be kept.", keepNewest},
}

func readAfter(p *probe) {
	s := p.socket()
	own := stream.Own(s.ID)
	p.wantRead(own, s.Out)
	at := p.commit(batch(s, send(own, "a"), send(own, "b"), send(own, "c")))
	p.wantRead(own, s.Out, "a", "b", "c")
	p.wantRead(own, at[0], "b", "c")
	p.wantRead(own, at[1], "c")
	p.wantRead(own, at[2])
}

func readMax(p *probe) {
	s := p.socket()
	own := stream.Own(s.ID)
	p.commit(batch(s, send(own, "a"), send(own, "b"), send(own, "c")))
	for limit := 1; limit <= 4; limit++ {
		ms, err := p.log.Read(p.ctx, own, s.Out, limit)
		if want := "abc"[:min(limit, 3)]; err != nil || strings.Join(texts(ms), "") != want {
			p.Errorf("Read of up to %d: got %q, error %v, want %q", limit, texts(ms), err, want)
		}
	}
}

func readAgain(p *probe) {
	s := p.socket()
	own := stream.Own(s.ID)
	p.commit(batch(s, send(own, "a"), send(own, "b")))
	for range 2 {
		p.wantRead(own, s.Out, "a", "b")
	}
}

func readShared(p *probe) {
	s := p.socket()
	own := stream.Own(s.ID)
	few := stream.Retention{Messages: 2}
	post := func(text string) {
		op := send(own, text)
		op.Keep = few
		p.commit(batch(s, op))
	}
	post("a")
	post("b")
	ms := p.read(own, s.Out)
	for i := range 20 {
		post(fmt.Sprint(i))
	}
	p.commit(batch(s, stream.Op{Kind: stream.Renumber, Out: 1}, send(own, "x"), send(own, "y")))
	if got := strings.Join(texts(ms), " "); got != "a b" {
		p.Errorf("what was read before became %q", got)
	}
}

func gapEpoch(p *probe) {
	s := p.socket()
	own := stream.Own(s.ID)
	top := p.commit(batch(s, send(own, "a"), send(own, "b")))[1]
	for _, after := range []stream.Position{{}, {Epoch: "another", Number: 1}, {Epoch: s.Out.Epoch + "x", Number: 2}} {
		if at := p.wantGap(own, after, stream.Reset); at != top {
			p.Errorf("reading goes on after %v, want the top %v", at, top)
		}
	}
	p.wantRead(own, s.Out, "a", "b")
}

func gapFuture(p *probe) {
	s := p.socket()
	own := stream.Own(s.ID)
	top := p.commit(batch(s, send(own, "a"), send(own, "b")))[1]
	above := top
	above.Number += 10
	at := p.wantGap(own, above, stream.Reset)
	if at.Number != top.Number || at.Epoch == top.Epoch || at.Epoch == "" {
		p.Errorf("reading goes on after %v, want number %d in an epoch other than %q", at, top.Number, top.Epoch)
	}
	if got := p.commit(batch(s, send(own, "c")))[0]; got.Epoch != at.Epoch || got.Number != at.Number+1 {
		p.Errorf("the next message: got position %v, want the one after %v", got, at)
	}
	p.wantRead(own, at, "c")
	p.wantGap(own, top, stream.Reset)
	if out := p.see(s.ID).Out; out.Epoch != at.Epoch {
		p.Errorf("the socket's Out: got %v, want the epoch %q", out, at.Epoch)
	}
}

func readAbsent(p *probe) {
	for _, s := range []stream.Name{stream.Own(stream.NewID()), stream.Of(newName())} {
		p.wantRead(s, stream.Position{})
		at := p.wantGap(s, stream.Position{Epoch: "gone", Number: 7}, stream.Reset)
		if at != (stream.Position{}) {
			p.Errorf("reading goes on after %v, want the zero position", at)
		}
	}
}

// post sends n numbered messages with a retention, and returns the position after the last one.
func (p *probe) post(s *stream.Socket, n int, keep stream.Retention) (at stream.Position) {
	p.Helper()
	for i := range n {
		op := send(stream.Own(s.ID), fmt.Sprint(i+1))
		op.Keep = keep
		at = p.commit(batch(s, op))[0]
	}
	return at
}

func keep(p *probe) {
	s := p.socket()
	top := p.post(s, 30, stream.Retention{Messages: 5})
	top.Number -= 5
	p.wantRead(stream.Own(s.ID), top, "26", "27", "28", "29", "30")
}

func keepBounded(p *probe) {
	s := p.socket()
	own := stream.Own(s.ID)
	small := stream.Retention{Messages: 5, Bytes: 100, Age: time.Second}
	p.post(s, 30, small)
	p.until("the first messages are gone", func() bool {
		p.post(s, 1, small)
		_, err := p.log.Read(p.ctx, own, s.Out, 1)
		return err != nil
	})
	at := p.wantGap(own, s.Out, stream.Old)
	if top := p.see(s.ID).Out; at.Epoch != s.Out.Epoch || at.Number == 0 || at.Number > top.Number {
		p.Errorf("reading goes on after %v, want a position up to %v", at, top)
	}
	p.read(own, at)
}

func keepNewest(p *probe) {
	s := p.socket()
	p.post(s, 3, stream.Retention{})
	op := send(stream.Own(s.ID), strings.Repeat("x", 1000))
	op.Keep.Bytes = 10
	at := p.commit(batch(s, op))[0]
	at.Number--
	p.wantRead(stream.Own(s.ID), at, string(op.Data))
}
