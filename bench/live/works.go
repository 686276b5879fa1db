package live

import (
	"errors"
	"sync"
	"time"
)

var works = []struct {
	name    string
	measure func(turn) error
}{{"idle", turn.idle}, {"echo", turn.echo}, {"fan-out", turn.fan}, {"readers that stop", turn.stopped}}

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

const (
	short    = 100     // bytes of a message
	long     = 8 << 10 // bytes of one that a stopped reader doesn't read
	echoers  = 16      // sockets that get echoes at the same time
	stoppers = 20      // sockets that stop reading
)

func (t turn) idle() error {
	_, hangUpFirst, err := t.dialAll("/idle", 20) // what is needed once is there then
	defer hangUpFirst()
	if err != nil {
		return err
	}
	before, err1 := t.server.Settled()
	_, hangUp, err2 := t.dialAll("/idle", t.Sockets)
	defer hangUp()
	time.Sleep(500 * time.Millisecond) // goroutines that are about to end
	after, err3 := t.server.Settled()
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	n := float64(t.Sockets)
	t.add(idleRSS, "KB", float64(after.RSS-before.RSS)/n/1000)
	t.add(idleHeap, "KB", float64(after.Heap+after.Stacks-before.Heap-before.Stacks)/n/1000)
	return nil
}

func (t turn) echo() error {
	all, hangUp, err := t.dialAll("/echo", echoers)
	defer hangUp()
	if err != nil {
		return err
	}
	text := document(short)
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
	if err := forAll(all, echo(t.Messages/10+1)); err != nil { // a check, and a warm-up
		return err
	}
	spent, err := t.server.Spent(func() error { return forAll(all, echo(t.Messages)) })
	t.add(echoCPU, "µs", float64(spent.CPU.Nanoseconds())/1000/float64(t.Messages*echoers))
	return err
}

func (t turn) fan() error {
	listeners, messages := t.Sockets/3, t.Messages/30+1
	all, hangUp, err := t.dialAll("/fan", listeners)
	defer hangUp()
	if err := errors.Join(err, t.await("/fan", listeners)); err != nil {
		return err
	}
	text := document(short)
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
	if err := fan(messages/10 + 1); err != nil { // a check, and a warm-up
		return err
	}
	spent, err := t.server.Spent(func() error { return fan(messages) })
	n := float64(messages * listeners)
	t.add(fanCPU, "µs", float64(spent.CPU.Nanoseconds())/1000/n)
	t.add(fanBytes, "bytes", float64(spent.Allocated)/n)
	return err
}

// stopped compares the memory that a server needs with readers that have stopped and without them.
func (t turn) stopped() error {
	readers, hangUpReaders, err := t.dialAll("/queue", 1)
	defer hangUpReaders()
	if err != nil {
		return err
	}
	text := document(long)
	publish := func() error {
		for range t.Messages {
			if err := errors.Join(readers[0].send(text), readers[0].want(text)); err != nil {
				return err
			}
		}
		return nil
	}
	stopped, hangUp, err := t.dialAll("/queue", stoppers)
	defer hangUp()
	if err := errors.Join(err, t.await("/queue", 1+stoppers), publish()); err != nil {
		return err
	}
	with, err1 := t.server.Settled()
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
	without, err2 := t.server.Settled()
	t.add(stoppedMB, "KB", (float64(with.Heap)-float64(without.Heap))/1000/float64(stoppers))
	t.add(stoppedOn, "%", 100*float64(finished)/float64(stoppers))
	return errors.Join(err1, err2)
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
