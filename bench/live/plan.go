package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"
)

// A plan says how much is measured.
type plan struct {
	only      *regexp.Regexp // the names of works
	rounds    int
	idle      int // sockets
	echoers   int // sockets that get echoes at the same time
	echoes    int // of each
	listeners int // sockets that a message goes to
	messages  int // that go to all of them
	stopped   int // sockets that don't read
	behind    int // messages that they don't read
	size      int // bytes of each of these
}

func planOf(short bool) plan {
	all := regexp.MustCompile("")
	if short {
		return plan{all, 1, 300, 4, 500, 100, 50, 5, 600, 8 << 10}
	}
	return plan{all, 1, 3000, 16, 2000, 1000, 60, 20, 2000, 8 << 10}
}

// A result is the figures of one contender, one for each round.
type result struct {
	work, contender, unit string
	rounds                []float64
}

func (p plan) run(ctx context.Context, log func(format string, args ...any)) (results []result, err error) {
	add := func(work, contender, unit string, figure float64) {
		at := slices.IndexFunc(results, func(r result) bool { return r.work == work && r.contender == contender })
		if at < 0 {
			at = len(results)
			results = append(results, result{work: work, contender: contender, unit: unit})
		}
		results[at].rounds = append(results[at].rounds, figure)
	}
	order := slices.Clone(contenders)
	for round := range p.rounds {
		log("round %d of %d", round+1, p.rounds)
		for _, w := range works {
			if !p.only.MatchString(w.name) {
				continue
			}
			for _, c := range order {
				if err := p.turn(ctx, w.run, c.name, add); err != nil {
					return nil, fmt.Errorf("%s: %w", c.name, err)
				}
			}
		}
		slices.Reverse(order) // there and back, so that nobody always follows the same one
	}
	return results, nil
}

type adder func(work, contender, unit string, figure float64)

// turn lets one contender do one work, in a new process.
func (p plan) turn(ctx context.Context, w func(plan, *server, adder) error, contender string, add adder) error {
	s, err := start(ctx, contender)
	if err != nil {
		return err
	}
	defer s.stop()
	return w(p, s, add)
}

var works = []struct {
	name string
	run  func(plan, *server, adder) error
}{{"idle", plan.measureIdle}, {"echo", plan.measureEcho}, {"fan", plan.measureFan}, {"stopped", plan.measureStopped}}

// The names of the figures.
const (
	idleRSS   = "memory of an idle socket: resident"
	idleHeap  = "memory of an idle socket: heap and stacks"
	echoCPU   = "echo: processor time"
	fanCPU    = "delivery to one of many: processor time"
	fanBytes  = "delivery to one of many: allocated"
	stoppedMB = "memory for a reader that stopped"
	stoppedOn = "readers that stopped, and went on to the last message"
)

// dialAll opens sockets, some at a time.
func dialAll(s *server, path string, n int) (all []*client, hangUp func(), err error) {
	all = make([]*client, n)
	errs := make([]error, n)
	hangUp = func() {
		for _, c := range all {
			if c != nil {
				c.conn.Close()
			}
		}
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i := range all {
		slots <- struct{}{}
		wg.Go(func() {
			all[i], errs[i] = dial(s, path)
			<-slots
		})
	}
	wg.Wait()
	return all, hangUp, errors.Join(errs...)
}

// forAll runs f for all clients at the same time.
func forAll(all []*client, f func(c *client) error) error {
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, c := range all {
		wg.Go(func() { errs[i] = f(c) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (p plan) measureIdle(s *server, add adder) error {
	_, hangUpFirst, err := dialAll(s, "/idle", 20) // what is needed once is there then
	defer hangUpFirst()
	if err != nil {
		return err
	}
	before, err1 := s.usage("settled")
	_, hangUp, err2 := dialAll(s, "/idle", p.idle)
	defer hangUp()
	time.Sleep(500 * time.Millisecond) // goroutines that are about to end
	after, err3 := s.usage("settled")
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	n := float64(p.idle)
	add(idleRSS, s.Contender, "KB", float64(after.RSS-before.RSS)/n/1000)
	add(idleHeap, s.Contender, "KB", float64(after.Heap+after.Stacks-before.Heap-before.Stacks)/n/1000)
	return nil
}

func (p plan) measureEcho(s *server, add adder) error {
	all, hangUp, err := dialAll(s, "/echo", p.echoers)
	defer hangUp()
	if err != nil {
		return err
	}
	text := document(100)
	echo := func(times int) func(*client) error {
		return func(c *client) error {
			for range times {
				if err := c.send(text); err != nil {
					return err
				}
				if err := c.want(text); err != nil {
					return err
				}
			}
			return nil
		}
	}
	if err := forAll(all, echo(p.echoes/10+1)); err != nil { // a check, and a warm-up
		return err
	}
	spent, err := s.spent(func() error { return forAll(all, echo(p.echoes)) })
	add(echoCPU, s.Contender, "µs", float64(spent.CPU.Nanoseconds())/1000/float64(p.echoes*p.echoers))
	return err
}

// want receives the next message and compares it.
func (c *client) want(text []byte) error {
	got, err := c.receive()
	if err == nil && string(got) != string(text) {
		return fmt.Errorf("got %.80q, want %.80q", got, text)
	}
	return err
}

// document returns a JSON string of so many bytes.
func document(size int) []byte {
	text := make([]byte, size)
	for i := range text {
		text[i] = 'a' + byte(i%26)
	}
	text[0], text[size-1] = '"', '"'
	return text
}

// spent returns what the server spends while f runs.
func (s *server) spent(f func() error) (usage, error) {
	before, err := s.usage("settled")
	if err == nil {
		err = f()
	}
	after, err2 := s.usage("now")
	return usage{CPU: after.CPU - before.CPU, Allocated: after.Allocated - before.Allocated}, errors.Join(err, err2)
}

func (p plan) measureFan(s *server, add adder) error {
	all, hangUp, err := dialAll(s, "/fan", p.listeners)
	defer hangUp()
	if err != nil {
		return err
	}
	text := document(100)
	// Each message goes once all have the one before.
	fan := func(times int) error {
		rounds := newBarrier(len(all))
		return forAll(all, func(c *client) error {
			defer rounds.leave()
			for range times {
				if c == all[0] {
					if err := c.send(text); err != nil {
						return err
					}
				}
				if err := c.want(text); err != nil {
					return err
				}
				rounds.wait()
			}
			return nil
		})
	}
	if err := fan(p.messages/10 + 1); err != nil { // a check, and a warm-up
		return err
	}
	spent, err := s.spent(func() error { return fan(p.messages) })
	n := float64(p.messages * p.listeners)
	add(fanCPU, s.Contender, "µs", float64(spent.CPU.Nanoseconds())/1000/n)
	add(fanBytes, s.Contender, "B", float64(spent.Allocated)/n)
	return err
}

// measureStopped compares the memory that a server needs with readers that have stopped and without them.
func (p plan) measureStopped(s *server, add adder) error {
	readers, hangUpReaders, err := dialAll(s, "/queue", 1)
	defer hangUpReaders()
	if err != nil {
		return err
	}
	text := document(p.size)
	publish := func() error {
		for range p.behind {
			if err := errors.Join(readers[0].send(text), readers[0].want(text)); err != nil {
				return err
			}
		}
		return nil
	}
	stopped, hangUp, err := dialAll(s, "/queue", p.stopped)
	defer hangUp()
	if err := errors.Join(err, publish()); err != nil {
		return err
	}
	with, err1 := s.usage("settled")
	last := readers[0].got
	var mu sync.Mutex
	finished := 0
	forAll(stopped, func(c *client) error {
		for c.got < last {
			if _, err := c.receive(); err != nil {
				return err
			}
		}
		mu.Lock()
		defer mu.Unlock()
		finished++
		return nil
	})
	hangUp()
	if err := publish(); err != nil {
		return err
	}
	without, err2 := s.usage("settled")
	add(stoppedMB, s.Contender, "KB", (float64(with.Heap)-float64(without.Heap))/1000/float64(p.stopped))
	add(stoppedOn, s.Contender, "%", 100*float64(finished)/float64(p.stopped))
	return errors.Join(err1, err2)
}
