package streamtest

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/lazysession/session/live/stream"
)

var concurrencyRules = []rule{
	{"numbers-at-once", "Messages of many senders at once get numbers without holes, and none is lost.", numbersAtOnce},
	{"channel-at-once", "Members of a channel see one order of all that is sent at once.", channelAtOnce},
	{"seat-at-once", "Of sockets that want a seat at once one gets it.", seatAtOnce},
	{"capacity-at-once", "Of sockets that join at once no more get in than the channel takes.", capacityAtOnce},
	{"new-at-once", "Of claims for one new socket at once one succeeds.", newAtOnce},
	{"fence-at-once", "Of nodes that take a socket at once only the one with the newest lease can commit.", fenceAtOnce},
	{"in-at-once", "An upward message that is handled at once by several is handled once.", inAtOnce},
	{"lease-at-once", "Of batches of one lease at once, one of which handles a message, none is lost.", leaseAtOnce},
	{"adds-at-once", "Edits at once add up.", addsAtOnce},
	{"leave-at-once", "While members leave, one that joins finds the whole channel or a new one.", leaveAtOnce},
}

func numbersAtOnce(p *probe) {
	const workers, each = 8, 50
	to := p.socket()
	own := stream.Own(to.ID)
	senders := p.members(workers)
	p.together(workers, func(i int) error {
		for n := range each {
			op := send(own, fmt.Sprintf("%d/%d", i, n))
			op.Keep.Messages = workers * each
			if _, err := p.tryCommit(batch(senders[i], op)); err != nil {
				return err
			}
		}
		return nil
	})
	ms := p.read(own, to.Out)
	next := map[string]int{}
	for i, m := range ms {
		var worker string
		var n int
		if _, err := fmt.Sscanf(string(m.Data), "%1s/%d", &worker, &n); err != nil || n != next[worker] {
			p.Fatalf("message %q comes after %d of its sender", m.Data, next[worker])
		}
		next[worker]++
		if m.Number != uint64(i)+1 {
			p.Fatalf("number %d comes after %d", m.Number, i)
		}
	}
	if len(ms) != workers*each {
		p.Errorf("got %d messages, want %d", len(ms), workers*each)
	}
}

func channelAtOnce(p *probe) {
	const workers, each = 6, 30
	name, ss := newName(), p.members(workers)
	positions := make([]map[uint64]string, workers)
	p.together(workers, func(i int) error {
		positions[i] = map[uint64]string{}
		if _, err := p.tryCommit(batch(ss[i], join(name, ""))); err != nil {
			return err
		}
		for n := range each {
			text := fmt.Sprintf("%d/%d", i, n)
			at, err := p.tryCommit(batch(ss[i], send(stream.Of(name), text)))
			if err != nil {
				return err
			}
			positions[i][at[0].Number] = text
		}
		return nil
	})
	ms := p.read(stream.Of(name), stream.Position{Epoch: p.channel(name).Top.Epoch})
	if len(ms) != workers*(each+1) {
		p.Fatalf("got %d messages and events, want %d", len(ms), workers*(each+1))
	}
	for _, at := range positions {
		for number, text := range at {
			if number == 0 || number > uint64(len(ms)) {
				p.Fatalf("%q got number %d of %d", text, number, len(ms))
			}
			if got := string(ms[number-1].Data); got != text || ms[number-1].Number != number {
				p.Fatalf("number %d: got %q, want %q", number, got, text)
			}
		}
	}
}

// winners runs try in n goroutines at once, and returns how many had no error. An error other than these ends the test.
func (p *probe) winners(n int, try func(i int) error, allowed ...error) int {
	p.Helper()
	var won atomic.Int32
	p.together(n, func(i int) error {
		err := try(i)
		if err == nil {
			won.Add(1)
			return nil
		}
		for _, a := range allowed {
			if errors.Is(err, a) {
				return nil
			}
		}
		return err
	})
	return int(won.Load())
}

func seatAtOnce(p *probe) {
	const rounds, workers = 20, 4
	ss := p.members(workers)
	for range rounds {
		name := newName()
		won := p.winners(workers, func(i int) error {
			_, err := p.tryCommit(batch(ss[i], join(name, "left")))
			return err
		}, stream.ErrTaken)
		if members := p.channel(name).Members; won != 1 || len(members) != 1 {
			p.Fatalf("%d sockets got the seat, and %d have it, want 1", won, len(members))
		}
	}
}

func capacityAtOnce(p *probe) {
	const rounds, workers, capacity = 20, 6, 2
	ss := p.members(workers)
	for range rounds {
		op := join(newName(), "")
		op.Rules.Capacity = capacity
		won := p.winners(workers, func(i int) error {
			_, err := p.tryCommit(batch(ss[i], op))
			return err
		}, stream.ErrFull)
		if members := p.channel(op.Channel).Members; won != capacity || len(members) != capacity {
			p.Fatalf("%d sockets got in, and %d are in, want %d", won, len(members), capacity)
		}
	}
}

func newAtOnce(p *probe) {
	for range 20 {
		c := p.claim()
		won := p.winners(4, func(int) error {
			_, err := p.tryTake(c)
			return err
		}, stream.ErrTaken)
		if won != 1 {
			p.Fatalf("%d claims made the socket, want 1", won)
		}
	}
}

func fenceAtOnce(p *probe) {
	const rounds, nodes = 15, 4
	for range rounds {
		s := p.socket()
		taken := make([]*stream.Socket, nodes)
		p.together(nodes, func(i int) (err error) {
			taken[i], err = p.tryTake(again(s))
			return err
		})
		leases := map[uint64]bool{}
		newest := s
		for _, t := range taken {
			if leases[t.Incarnation] = true; t.Incarnation > newest.Incarnation {
				newest = t
			}
		}
		if len(leases) != nodes {
			p.Fatalf("%d nodes got %d incarnations", nodes, len(leases))
		}
		won := p.winners(nodes, func(i int) error {
			_, err := p.tryCommit(batch(taken[i], send(stream.Own(s.ID), "mine")))
			return err
		}, stream.ErrFenced)
		if won != 1 || p.see(s.ID).Incarnation != newest.Incarnation {
			p.Fatalf("%d nodes committed, want the newest only", won)
		}
	}
}

func inAtOnce(p *probe) {
	const rounds, workers = 20, 4
	s := p.socket()
	for n := range uint64(rounds) {
		won := p.winners(workers, func(int) error {
			_, err := p.tryCommit(message(s, n+1, send(stream.Own(s.ID), fmt.Sprint(n))))
			return err
		}, stream.ErrOrder)
		if won != 1 {
			p.Fatalf("%d batches handled message %d, want 1", won, n+1)
		}
	}
	if ms := p.read(stream.Own(s.ID), s.Out); len(ms) != rounds {
		p.Errorf("got %d answers, want %d", len(ms), rounds)
	}
}

func leaseAtOnce(p *probe) {
	const each = 40
	s, room := p.socket(), newName()
	own, joined := stream.Own(s.ID), make([]string, each)
	for i := range joined {
		joined[i] = newName()
	}
	p.commit(batch(p.members(1)[0], join(room, "")))
	top := p.channel(room).Top
	p.together(4, func(i int) error {
		for n := range each {
			b := batch(s) // asks for the lease
			switch i {
			case 0:
				b = message(s, uint64(n)+1, send(own, fmt.Sprint(n)))
			case 1:
				b = batch(s, join(joined[n], ""))
			case 2:
				b = batch(s, join(room, ""))
				if n%2 == 1 {
					b = batch(s, leave(room))
				}
			}
			if _, err := p.tryCommit(b); err != nil {
				return err
			}
		}
		return nil
	})
	now := p.see(s.ID)
	if in, ms := now.In, p.read(own, s.Out); in != each || len(ms) != each {
		p.Errorf("message %d was the last that was handled, with %d answers; want %d", in, len(ms), each)
	}
	slices.Sort(now.Channels)
	slices.Sort(joined)
	if !slices.Equal(now.Channels, joined) {
		p.Errorf("the socket is in %d channels, want the %d that it has joined and not left", len(now.Channels), each)
	}
	if events := p.read(stream.Of(room), top); len(events) != each {
		p.Errorf("%d joins and leaves were told, want %d", len(events), each)
	}
}

func addsAtOnce(p *probe) {
	const workers, each = 6, 20
	name, ss := newName(), p.members(workers)
	for _, s := range ss {
		p.commit(batch(s, join(name, "")))
	}
	p.together(workers, func(i int) error {
		for range each {
			if _, err := p.tryCommit(batch(ss[i], edit(name, add("n", 1)))); err != nil {
				return err
			}
		}
		return nil
	})
	p.wantState(p.channel(name), "n", fmt.Sprint(workers*each))
}

func leaveAtOnce(p *probe) {
	const rounds = 30
	ss := p.members(3)
	for range rounds {
		name := newName()
		setup := batch(ss[0], join(name, ""), edit(name, set("a", "1"), set("b", "1")), send(stream.Of(name), "m"))
		epoch := p.commit(setup)[2].Epoch
		p.commit(batch(ss[1], join(name, "")))
		p.together(3, func(i int) error {
			op := leave(name)
			if i == 2 {
				op = join(name, "")
			}
			_, err := p.tryCommit(batch(ss[i], op))
			return err
		})
		c := p.channel(name)
		p.wantMembers(name, ss[2])
		old := c.Top.Epoch == epoch
		a, _ := c.State.Get("a")
		b, _ := c.State.Get("b")
		if whole, fresh := a == "1" && b == "1", a == "" && b == ""; old != whole || old == fresh {
			p.Fatalf("the one that joined finds a=%q b=%q, and the channel is the old one: %v", a, b, old)
		}
		if !old {
			p.wantRead(stream.Of(name), stream.Position{Epoch: c.Top.Epoch}, "joined")
		}
		p.commit(batch(ss[2], leave(name)))
	}
}
