package streamtest

import (
	"fmt"
	"sync"

	"github.com/lazysession/session/live/stream"
)

var watchRules = []rule{
	{"watch", "A watcher is told, sooner or later, that a socket's own stream and a channel's stream have grown.",
		watching},
	{"watch-events", "A watcher is told of joins, leaves, away and back, too.", watchEvents},
	{"watch-all", "Every watcher is told.", watchAll},
	{"watch-cancel", "A cancelled watcher is told nothing of what is committed later; the others are.", watchCancel},
	{"watch-reads", "A reader that waits for hints, and looks from its position, gets every message once.", watchReads},
	{"watch-truth", "A hint names no number above the stream's top, and its own epoch.", watchTruth},
}

// A diary keeps how far each stream has grown by the hints of one watcher.
type diary struct {
	p      *probe
	cancel func()

	mu sync.Mutex
	// mu locks the remaining field.
	tops map[stream.Name]stream.Position
}

func (p *probe) watch() *diary {
	d := &diary{p: p, tops: map[stream.Name]stream.Position{}}
	d.cancel = sync.OnceFunc(p.log.Watch(d.note))
	p.Cleanup(d.cancel)
	return d
}

func (d *diary) note(s stream.Name, top stream.Position) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if was := d.tops[s]; was.Epoch != top.Epoch || was.Number < top.Number {
		d.tops[s] = top
	}
}

func (d *diary) top(s stream.Name) stream.Position {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tops[s]
}

// wait waits until the watcher was told of a stream. A hint may be left out, so poke lets the stream grow again.
func (d *diary) wait(s stream.Name, least uint64, poke func()) {
	d.p.Helper()
	tries := 0
	d.p.until("a hint has come", func() bool {
		if tries++; tries%50 == 0 {
			poke()
		}
		return d.top(s).Number >= least
	})
}

func watching(p *probe) {
	d, s, name := p.watch(), p.socket(), newName()
	post := func() { p.commit(batch(s, send(stream.Own(s.ID), "a"), send(stream.Of(name), "b"))) }
	p.commit(batch(s, join(name, "")))
	post()
	d.wait(stream.Own(s.ID), 1, post)
	d.wait(stream.Of(name), 2, post)
}

func watchEvents(p *probe) {
	d, s, other, name := p.watch(), p.socket(), p.socket(), newName()
	nothing := func() {
		op := join(name, "") // grows the stream by two
		p.commit(batch(other, leave(name), op))
	}
	p.commit(batch(other, join(name, "")))
	grown := func() uint64 { return p.channel(name).Top.Number }
	for _, do := range []func(){
		func() { p.commit(batch(s, join(name, ""))) },
		func() { p.commit(batch(s, awayFor(1e12))) },
		func() { s = p.take(again(s)) },
		func() { p.commit(batch(s, leave(name))) },
	} {
		do()
		d.wait(stream.Of(name), grown(), nothing)
	}
}

func watchAll(p *probe) {
	first, second, s := p.watch(), p.watch(), p.socket()
	own := stream.Own(s.ID)
	post := func() { p.commit(batch(s, send(own, "a"))) }
	post()
	first.wait(own, 1, post)
	second.wait(own, 1, post)
}

func watchCancel(p *probe) {
	first, second, third := p.watch(), p.watch(), p.watch()
	second.cancel()
	s := p.socket()
	own := stream.Own(s.ID)
	post := func() { p.commit(batch(s, send(own, "a"))) }
	post()
	first.wait(own, 1, post)
	third.wait(own, 1, post)
	if top := second.top(own); top.Number > 0 {
		p.Errorf("a cancelled watcher was told of %v", top)
	}
}

func watchReads(p *probe) {
	const count = 300
	s := p.socket()
	own := stream.Own(s.ID)
	hints := make(chan struct{}, 1)
	cancel := p.log.Watch(func(name stream.Name, _ stream.Position) {
		if name == own {
			select {
			case hints <- struct{}{}:
			default:
			}
		}
	})
	defer cancel()
	p.together(2, func(i int) error {
		if i == 0 {
			for n := range count {
				op := send(own, fmt.Sprint(n))
				op.Keep.Messages = count
				if _, err := p.tryCommit(batch(s, op)); err != nil {
					return err
				}
			}
			return nil
		}
		return p.follow(own, s.Out, count, hints)
	})
}

// follow reads a stream up to a number, and tests that nothing is missing.
func (p *probe) follow(s stream.Name, after stream.Position, up uint64, hints <-chan struct{}) error {
	for after.Number < up {
		ms, err := p.log.Read(p.ctx, s, after, 7)
		if err != nil {
			return err
		}
		for _, m := range ms {
			if m.Number != after.Number+1 || string(m.Data) != fmt.Sprint(after.Number) {
				return fmt.Errorf("after %d: got number %d, data %q", after.Number, m.Number, m.Data)
			}
			after.Number = m.Number
		}
		if len(ms) == 0 {
			if err := p.waitHint(hints); err != nil {
				return err
			}
		}
	}
	return nil
}

func watchTruth(p *probe) {
	s := p.socket()
	own := stream.Own(s.ID)
	var mu sync.Mutex
	var told []stream.Position
	defer p.log.Watch(func(name stream.Name, top stream.Position) {
		if name == own {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, top)
		}
	})()
	d := p.watch()
	p.commit(batch(s, send(own, "a"), send(own, "b")))
	p.commit(batch(s, send(own, "c")))
	d.wait(own, 1, func() { p.commit(batch(s, send(own, "d"))) })
	top := p.see(s.ID).Out
	mu.Lock()
	defer mu.Unlock()
	for _, at := range told {
		if at.Epoch != top.Epoch || at.Number == 0 || at.Number > top.Number {
			p.Errorf("a hint names %v, and the top is %v", at, top)
		}
	}
}
