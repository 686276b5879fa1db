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
	{"watch-last", "After the last growth of a stream a hint names its top in the end, without another growth.",
		watchLast},
	{"watch-take", "A socket that was taken again is told as a hint of its own stream, though that has not grown.",
		watchTake},
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

// wait waits until the watcher was told of a stream.
func (d *diary) wait(s stream.Name, least uint64) {
	d.p.Helper()
	d.p.until("a hint has come", func() bool { return d.top(s).Number >= least })
}

func watching(p *probe) {
	d, s, name := p.watch(), p.socket(), newName()
	p.commit(batch(s, join(name, ""), send(stream.Own(s.ID), "a"), send(stream.Of(name), "b")))
	d.wait(stream.Own(s.ID), 1)
	d.wait(stream.Of(name), 2)
}

func watchEvents(p *probe) {
	d, s, other, name := p.watch(), p.socket(), p.socket(), newName()
	p.commit(batch(other, join(name, "")))
	for _, do := range []func(){
		func() { p.commit(batch(s, join(name, ""))) },
		func() { p.commit(batch(s, awayFor(1e12))) },
		func() { s = p.take(again(s)) },
		func() { p.commit(batch(s, leave(name))) },
	} {
		do()
		d.wait(stream.Of(name), p.channel(name).Top.Number)
	}
}

func watchAll(p *probe) {
	first, second, s := p.watch(), p.watch(), p.socket()
	own := stream.Own(s.ID)
	p.commit(batch(s, send(own, "a")))
	first.wait(own, 1)
	second.wait(own, 1)
}

func watchCancel(p *probe) {
	first, second, third := p.watch(), p.watch(), p.watch()
	second.cancel()
	s := p.socket()
	own := stream.Own(s.ID)
	p.commit(batch(s, send(own, "a")))
	first.wait(own, 1)
	third.wait(own, 1)
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
		if err := p.waitHint(hints); err != nil { // or a reader that begins late would need none
			return err
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

func watchLast(p *probe) {
	const senders, count = 4, 20
	d, s, name := p.watch(), p.socket(), newName()
	own, of := stream.Own(s.ID), stream.Of(name)
	p.commit(batch(s, join(name, "")))
	p.together(senders, func(int) error {
		for range count {
			if _, err := p.tryCommit(batch(nil, send(own, "a"), send(of, "b"))); err != nil {
				return err
			}
		}
		return nil
	})
	d.wait(own, senders*count)
	d.wait(of, 1+senders*count)
}

func watchTake(p *probe) {
	s := p.socket()
	told := make(chan struct{}, 1)
	defer p.log.Watch(func(name stream.Name, _ stream.Position) {
		if name == stream.Own(s.ID) {
			select {
			case told <- struct{}{}:
			default:
			}
		}
	})()
	p.take(again(s))
	select {
	case <-told:
	case <-p.ctx.Done():
		p.Fatal("no hint has come")
	}
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
	d.wait(own, 3)
	top := p.see(s.ID).Out
	mu.Lock()
	defer mu.Unlock()
	for _, at := range told {
		if at.Epoch != top.Epoch || at.Number == 0 || at.Number > top.Number {
			p.Errorf("a hint names %v, and the top is %v", at, top)
		}
	}
}
