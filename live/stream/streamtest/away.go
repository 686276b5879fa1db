package streamtest

import (
	"slices"
	"time"

	"github.com/lazysession/session/live/stream"
)

var awayRules = []rule{
	{"away", "A socket that is away says until when, and its channels are told once.", away},
	{"away-back", "A socket that is taken again is away no more, and its channels are told.", awayBack},
	{"overdue", "Overdue returns the sockets that did not come back in time, and only those, and changes nothing.",
		overdue},
	{"overdue-max", "Overdue returns no more sockets than it was asked for.", overdueMax},
	{"overdue-claim", "An overdue socket can be taken as such: it fences, and the socket stays away.", overdueClaim},
	{"overdue-claim-early", "A socket that is not overdue can't be taken as such: ErrNotFound, and it is not fenced.",
		overdueClaimEarly},
}

func awayFor(window time.Duration) stream.Op { return stream.Op{Kind: stream.Away, Window: window} }

func away(p *probe) {
	s, name := p.socket(), newName()
	p.commit(batch(s, join(name, "left")))
	from := p.now()
	p.commit(batch(s, awayFor(time.Hour)))
	p.commit(batch(s, awayFor(time.Hour)))
	p.wantDuring("an hour before AwayUntil", p.see(s.ID).AwayUntil.Add(-time.Hour), from)
	c := p.channel(name)
	if m, ok := c.Member(s.ID); !ok || !m.Away || m.Seat != "left" {
		p.Errorf("the member: got %+v, want it on its seat and away", m)
	}
	p.wantRead(stream.Of(name), stream.Position{Epoch: c.Top.Epoch}, "joined", "away")
}

func awayBack(p *probe) {
	s, name := p.socket(), newName()
	p.commit(batch(s, join(name, "left")))
	p.take(again(s)) // not away, so nobody is told
	s = p.see(s.ID)
	p.commit(batch(s, awayFor(time.Hour)))
	back := p.take(again(s))
	if !back.AwayUntil.IsZero() {
		p.Errorf("AwayUntil: got %v, want none", back.AwayUntil)
	}
	c := p.channel(name)
	if m, _ := c.Member(s.ID); m.Away {
		p.Error("the member is still away")
	}
	p.wantRead(stream.Of(name), stream.Position{Epoch: c.Top.Epoch}, "joined", "away", "back")
}

// overdueNow returns those of the sockets that are overdue.
func (p *probe) overdueNow(of ...*stream.Socket) (late []stream.ID) {
	p.Helper()
	all, err := p.log.Overdue(p.ctx, 10_000)
	if err != nil {
		p.Fatalf("Overdue: %v", err)
	}
	for _, s := range of {
		if slices.ContainsFunc(all, func(o *stream.Socket) bool { return o.ID == s.ID }) {
			late = append(late, s.ID)
		}
	}
	return late
}

func overdue(p *probe) {
	here, patient, late := p.socket(), p.socket(), p.socket()
	p.commit(batch(patient, awayFor(time.Hour)))
	p.commit(batch(late, awayFor(time.Millisecond)))
	p.until("the socket is overdue", func() bool { return len(p.overdueNow(late)) > 0 })
	if got := p.overdueNow(here, patient, late); !slices.Equal(got, []stream.ID{late.ID}) {
		p.Errorf("overdue: got %v, want only %v", got, late.ID)
	}
	p.commit(batch(late, send(stream.Own(late.ID), "it still has its lease")))
	p.take(again(late))
	if got := p.overdueNow(late); len(got) > 0 {
		p.Error("a socket that came back is overdue")
	}
}

func overdueMax(p *probe) {
	var late []*stream.Socket
	for range 3 {
		s := p.socket()
		p.commit(batch(s, awayFor(time.Millisecond)))
		late = append(late, s)
	}
	p.until("the sockets are overdue", func() bool { return len(p.overdueNow(late...)) == 3 })
	if got, err := p.log.Overdue(p.ctx, 2); err != nil || len(got) != 2 {
		p.Errorf("Overdue of up to 2: got %d, error %v", len(got), err)
	}
}

func overdueClaim(p *probe) {
	s, name := p.socket(), newName()
	p.commit(batch(s, join(name, ""), awayFor(time.Millisecond)))
	p.until("the socket is overdue", func() bool { return len(p.overdueNow(s)) > 0 })
	got := p.take(&stream.Claim{ID: s.ID, Node: "node b", Overdue: true})
	if got.Session != s.Session || got.Owner != s.Owner || got.AwayUntil.IsZero() {
		p.Errorf("got %+v, want a socket that is still away, of the same session and owner", got)
	}
	p.wantRead(stream.Of(name), stream.Position{Epoch: p.channel(name).Top.Epoch}, "joined", "away")
	p.wantCommit(batch(s, leave(name)), stream.ErrFenced)
	p.commit(batch(got, stream.Op{Kind: stream.End}))
}

func overdueClaimEarly(p *probe) {
	here, patient := p.socket(), p.socket()
	p.commit(batch(patient, awayFor(time.Hour)))
	for _, s := range []*stream.Socket{here, patient} {
		_, err := p.log.Take(p.ctx, &stream.Claim{
			ID: s.ID, Session: s.Session, Node: "node b", Endpoint: s.Endpoint, Overdue: true,
		})
		p.wantError("Take of a socket that is not overdue", err, stream.ErrNotFound)
		p.commit(batch(s, send(stream.Own(s.ID), "still mine")))
	}
}
