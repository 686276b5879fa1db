package streamtest

import (
	"fmt"

	"github.com/lazysession/session/live/stream"
)

var serviceRules = []rule{
	{"warm", "Warm and Flush succeed, and change nothing.", warm},
	{"close", "After Close every method returns ErrClosed.", closing},
	{"close-twice", "A second Close does nothing.", closeTwice},
	{"close-tx", "After Close a transaction that was begun before commits nothing.", closeTx},
}

// waitHint waits for a hint.
func (p *probe) waitHint(hints <-chan struct{}) error {
	select {
	case <-hints:
	case <-p.ctx.Done():
		return fmt.Errorf("waiting for messages: %w", p.ctx.Err())
	}
	return nil
}

func warm(p *probe) {
	s := p.socket()
	if err := p.log.Warm(p.ctx, 1<<16); err != nil {
		p.Errorf("Warm: %v", err)
	}
	p.commit(batch(s, send(stream.Own(s.ID), "a")))
	if err := p.log.Flush(p.ctx); err != nil {
		p.Errorf("Flush: %v", err)
	}
	p.wantRead(stream.Own(s.ID), s.Out, "a")
}

func (p *probe) close(backup bool) {
	p.Helper()
	if err := p.log.Close(p.ctx, backup); err != nil {
		p.Fatalf("Close: %v", err)
	}
}

func closing(p *probe) {
	s := p.socket()
	p.commit(ending(p.socket()))
	p.commit(ending(s))
	p.close(false)
	c := p.claim()
	_, takeErr := p.log.Take(p.ctx, c)
	_, againErr := p.log.Take(p.ctx, again(s))
	_, commitErr := p.log.Commit(p.ctx, batch(s, send(stream.Own(s.ID), "a")))
	_, beginErr := p.log.Begin(p.ctx)
	_, readErr := p.log.Read(p.ctx, stream.Own(s.ID), stream.Position{}, 1)
	_, channelErr := p.log.Channel(p.ctx, newName())
	_, overdueErr := p.log.Overdue(p.ctx, 1)
	p.wantError("Take of a new socket", takeErr, stream.ErrClosed)
	p.wantError("Take", againErr, stream.ErrClosed)
	p.wantError("Commit", commitErr, stream.ErrClosed)
	p.wantError("Begin", beginErr, stream.ErrClosed)
	p.wantError("Read", readErr, stream.ErrClosed)
	p.wantError("Channel", channelErr, stream.ErrClosed)
	p.wantError("Overdue", overdueErr, stream.ErrClosed)
	p.wantError("Warm", p.log.Warm(p.ctx, 100), stream.ErrClosed)
	p.wantError("Flush", p.log.Flush(p.ctx), stream.ErrClosed)
	var listErr error
	for _, err := range p.log.Sockets(p.ctx, stream.Filter{}) {
		listErr = err
		break
	}
	p.wantError("Sockets", listErr, stream.ErrClosed)
}

func closeTwice(p *probe) {
	p.close(false)
	p.close(false)
}

func closeTx(p *probe) {
	name := newName()
	t := p.begin()
	p.hold(t, name)
	p.close(false)
	_, err := t.Commit(p.ctx, batch(nil, edit(name, set("n", "1"))))
	p.wantError("Commit of a transaction", err, stream.ErrClosed)
	t.Rollback()
}
