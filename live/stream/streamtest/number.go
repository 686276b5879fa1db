package streamtest

import "github.com/lazysession/session/live/stream"

var numberRules = []rule{
	{"renumber", "Renumber sets the numbers of both directions, and both go on from there.", renumber},
	{"renumber-gap", "A position before numbers that were left out is an old gap, which leads behind them.", renumberGap},
	{"renumber-back", "Numbers that were set back come in another epoch, and what was above them is gone.", renumberBack},
}

func renumberTo(s *stream.Socket, out, in uint64) *stream.Batch {
	return batch(s, stream.Op{Kind: stream.Renumber, Out: out, In: in})
}

func renumber(p *probe) {
	s := p.socket()
	p.commit(renumberTo(s, 41, 16))
	got := p.see(s.ID)
	if got.In != 16 || got.Out.Number != 41 {
		p.Errorf("numbers: got In %d and Out %d, want 16 and 41", got.In, got.Out.Number)
	}
	p.wantCommit(message(s, 16), stream.ErrOrder)
	if at := p.commit(message(s, 17, send(stream.Own(s.ID), "a"))); at[0].Number != 42 {
		p.Errorf("the next number: got %d, want 42", at[0].Number)
	}
	p.wantRead(stream.Own(s.ID), got.Out, "a")
}

func renumberGap(p *probe) {
	s := p.socket()
	own := stream.Own(s.ID)
	top := p.commit(batch(s, send(own, "a")))[0]
	p.commit(renumberTo(s, 41, 0))
	want := stream.Position{Epoch: top.Epoch, Number: 41}
	if at := p.wantGap(own, top, stream.Old); at != want {
		p.Errorf("reading goes on after %v, want %v", at, want)
	}
}

func renumberBack(p *probe) {
	s := p.socket()
	own := stream.Own(s.ID)
	top := p.commit(message(s, 1, send(own, "a"), send(own, "b"), send(own, "c")))[2]
	p.commit(renumberTo(s, 1, 0))
	p.wantGap(own, top, stream.Reset)
	at := p.see(s.ID).Out
	if at.Number != 1 || at.Epoch == top.Epoch {
		p.Fatalf("Out: got %v, want number 1 in an epoch other than %q", at, top.Epoch)
	}
	p.commit(message(s, 1, send(own, "d")))
	p.wantRead(own, at, "d")
}
