package streamtest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/lazysession/session/live/stream"
)

var holdRules = []rule{
	{"hold", "Hold returns the channel as it is, and the transaction's Commit changes it.", holding},
	{"hold-empty", "A channel without members can be held, and made by the transaction.", holdEmpty},
	{"hold-nobody", "A transaction without a lease edits the channel that it holds.", holdNobody},
	{"hold-twice", "Holding a channel again in one transaction returns it again.", holdTwice},
	{"hold-exact", "What transactions read and write while they hold is exact: no two of them hold a channel at once.",
		holdExact},
	{"hold-edits", "An edit of another batch is not lost between a transaction's reading and writing.", holdEdits},
	{"hold-ends", "Hold waits no longer than its context, and harms nobody by that.", holdEnds},
	{"hold-deadlock", "Of transactions that wait for each other one gets ErrDeadlock, and the other goes on.",
		holdDeadlock},
	{"hold-last-leave", "Where the last member leaves a held channel, nothing of the old state comes to the next one.",
		holdLastLeave},
	{"hold-refused", "A refused Commit of a transaction changes nothing, and its Rollback lets go.", holdRefused},
	{"rollback", "Rollback lets go, and after Commit it does nothing.", rollback},
}

func holding(p *probe) {
	s, name := p.socket(), newName()
	p.commit(batch(s, join(name, "left"), edit(name, set("n", "1"))))
	t := p.begin()
	c := p.hold(t, name)
	p.wantState(c, "n", "1")
	if _, ok := c.Member(s.ID); !ok || c.Name != name || c.Top.Number != 1 {
		p.Errorf("the channel: got %+v, want one with its member and its top", c)
	}
	b := message(s, 1, edit(name, set("n", "2")), send(stream.Of(name), "m"))
	at, err := t.Commit(p.ctx, b)
	if at, err = checked(b, at, err); err != nil || at[1].Number != 2 {
		p.Fatalf("Commit: got %v, error %v, want number 2 for what was sent", at, err)
	}
	p.wantState(p.channel(name), "n", "2")
	if in := p.see(s.ID).In; in != 1 {
		p.Errorf("In: got %d, want 1", in)
	}
}

func holdEmpty(p *probe) {
	s, name := p.socket(), newName()
	t := p.begin()
	if c := p.hold(t, name); len(c.Members) > 0 || c.State.Len() > 0 || c.Name != name {
		p.Errorf("the channel: got %+v, want an empty one", c)
	}
	if _, err := t.Commit(p.ctx, batch(s, edit(name, set("n", "1")), join(name, ""))); err != nil {
		p.Fatalf("Commit: %v", err)
	}
	p.wantState(p.channel(name), "n", "1")
	p.wantMembers(name, s)
}

func holdNobody(p *probe) {
	s, name := p.socket(), newName()
	p.commit(batch(s, join(name, "")))
	t := p.begin()
	p.hold(t, name)
	if _, err := t.Commit(p.ctx, batch(nil, edit(name, set("n", "1")))); err != nil {
		p.Fatalf("Commit: %v", err)
	}
	p.wantState(p.channel(name), "n", "1")
}

func holdTwice(p *probe) {
	s, name := p.socket(), newName()
	p.commit(batch(s, join(name, ""), edit(name, set("n", "1"))))
	t := p.begin()
	p.hold(t, name)
	p.wantState(p.hold(t, name), "n", "1")
}

// increment adds 1 to a number by reading and writing it.
func (p *probe) increment(s *stream.Socket, name string) error {
	t, err := p.log.Begin(p.ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer t.Rollback()
	c, err := tryHold(p.ctx, t, name)
	if err != nil {
		return fmt.Errorf("hold: %w", err)
	}
	doc, _ := c.State.Get("n")
	n, _ := strconv.Atoi(doc)
	time.Sleep(time.Millisecond) // so that others come in between where they can
	_, err = t.Commit(p.ctx, batch(s, edit(name, set("n", strconv.Itoa(n+1)))))
	return err
}

func holdExact(p *probe) {
	const workers, each = 6, 8
	name, ss := newName(), p.members(workers)
	for _, s := range ss {
		p.commit(batch(s, join(name, "")))
	}
	p.together(workers, func(i int) error {
		for range each {
			if err := p.increment(ss[i], name); err != nil {
				return err
			}
		}
		return nil
	})
	p.wantState(p.channel(name), "n", fmt.Sprint(workers*each))
}

// members makes n sockets.
func (p *probe) members(n int) (ss []*stream.Socket) {
	p.Helper()
	for range n {
		ss = append(ss, p.socket())
	}
	return ss
}

func holdEdits(p *probe) {
	const workers, each = 4, 12
	name, ss := newName(), p.members(workers)
	for _, s := range ss {
		p.commit(batch(s, join(name, "")))
	}
	p.together(workers, func(i int) error {
		for range each {
			var err error
			if i%2 == 0 {
				err = p.increment(ss[i], name)
			} else {
				_, err = p.tryCommit(batch(ss[i], edit(name, add("n", 1))))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	p.wantState(p.channel(name), "n", fmt.Sprint(workers*each))
}

func holdEnds(p *probe) {
	name := newName()
	first := p.begin()
	p.hold(first, name)
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Millisecond)
	defer cancel()
	second := p.begin()
	if _, err := tryHold(ctx, second, name); err == nil {
		p.Fatal("a channel is held twice")
	} else if p.ctx.Err() != nil {
		p.Fatalf("Hold outlasted its context: %v", err)
	}
	second.Rollback()
	first.Rollback()
	p.hold(p.begin(), name)
}

func holdDeadlock(p *probe) {
	x, y := newName(), newName()
	txs := []stream.Tx{p.begin(), p.begin()}
	p.hold(txs[0], x)
	p.hold(txs[1], y)
	results := make([]error, 2)
	p.together(2, func(i int) error {
		_, results[i] = tryHold(p.ctx, txs[i], []string{y, x}[i])
		if results[i] != nil {
			txs[i].Rollback() // so that the other one goes on
		}
		return nil
	})
	refused := 0
	for _, err := range results {
		switch {
		case err == nil:
		case errors.Is(err, stream.ErrDeadlock):
			refused++
		default:
			p.Errorf("Hold: %v", err)
		}
	}
	if refused == 0 {
		p.Error("two transactions hold what the other one holds")
	}
	for _, t := range txs {
		t.Rollback()
	}
	both := p.begin()
	p.hold(both, y)
	p.hold(both, x)
}

func holdLastLeave(p *probe) {
	old, s, name := p.socket(), p.socket(), newName()
	p.commit(batch(old, join(name, ""), edit(name, set("n", "1"))))
	t := p.begin()
	c := p.hold(t, name)
	p.wantState(c, "n", "1")

	left := make(chan error, 1) // the leave may wait for the transaction, or be done at once
	go func() {
		_, err := p.tryCommit(batch(old, leave(name)))
		left <- err
	}()
	var leaveErr error
	waits := false
	select {
	case leaveErr = <-left:
		p.commit(batch(s, join(name, "")))
	case <-time.After(100 * time.Millisecond):
		waits = true
	}
	_, err := t.Commit(p.ctx, batch(nil, edit(name, set("n", "2"))))
	t.Rollback()
	if err != nil && !errors.Is(err, stream.ErrDeadlock) {
		p.Errorf("Commit: got error %v, want none or %v", err, stream.ErrDeadlock)
	}
	if waits {
		leaveErr = <-left
	}
	if leaveErr != nil {
		p.Fatalf("Leave: %v", leaveErr)
	}
	p.commit(batch(s, join(name, "")))
	p.wantState(p.channel(name), "n", "")
}

func holdRefused(p *probe) {
	s, name := p.socket(), newName()
	p.commit(batch(s, join(name, "")))
	t := p.begin()
	p.hold(t, name)
	_, err := t.Commit(p.ctx, message(s, 7, edit(name, set("n", "1"))))
	p.wantError("Commit", err, stream.ErrOrder)
	t.Rollback()
	p.wantState(p.hold(p.begin(), name), "n", "")
}

func rollback(p *probe) {
	s, name := p.socket(), newName()
	p.commit(batch(s, join(name, "")))
	t := p.begin()
	p.hold(t, name)
	t.Rollback()
	t.Rollback()

	t = p.begin()
	p.hold(t, name)
	if _, err := t.Commit(p.ctx, batch(s, edit(name, set("n", "1")))); err != nil {
		p.Fatalf("Commit: %v", err)
	}
	next := p.begin()
	p.wantState(p.hold(next, name), "n", "1") // Commit lets go, too
	t.Rollback()
	third := p.begin()
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Millisecond)
	defer cancel()
	if _, err := tryHold(ctx, third, name); err == nil {
		p.Error("Rollback after Commit lets go of what another transaction holds")
	}
	p.wantState(p.channel(name), "n", "1")
}
