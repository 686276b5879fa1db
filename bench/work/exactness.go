package work

import (
	"context"
	"strconv"
	"sync"

	"github.com/lazysession/session/bench/measure"
)

const (
	hitters      = 8
	hammerRounds = 5 // a disk makes them long
)

var hammering = work{name: "hits counted, 8 clients of one session", task: countHit, values: 1}

// Exactness measures how many of the hits that 8 clients count on one session at once have arrived in the end.
func Exactness(ctx context.Context, run *measure.Run) error {
	m := match{Run: run, part: "exactness"}
	m.Log("exactness: %s", hammering.name)
	return measure.Turns(ctx, min(m.Rounds, hammerRounds), peers, func(c *contender) error {
		arrived, err := hammer(c, m.Hits)
		m.Add(m.sample(c, hammering, "%", c.note), arrived)
		return err
	})
}

// hammer returns how many of a hundred hits arrived.
func hammer(c *contender, hits int) (float64, error) {
	r, err := newRig(c, hammering, 1)
	if err != nil {
		return 0, err
	}
	defer r.close()
	before := r.sent
	shared := &jar{cookie: r.clients[0].cookie()}
	r.clients = nil
	for range hitters {
		r.clients = append(r.clients, &sharing{r.server.client(r.plan), shared})
	}
	if err := r.send(hits); err != nil {
		return 0, r.explain(err)
	}
	shown, err := r.ask(showHits, shared.get())
	if err != nil {
		return 0, r.explain(err)
	}
	counted, err := strconv.Atoi(shown.shown())
	return 100 * float64(counted-before) / float64(r.sent-before), err
}

// A jar holds the cookie of a browser that sends several requests at once.
type jar struct {
	mu     sync.Mutex
	cookie string
}

func (j *jar) get() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.cookie
}

func (j *jar) set(cookie string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.cookie = cookie
}

// A sharing client is one of several with a jar.
type sharing struct {
	client
	jar *jar
}

func (c *sharing) do() error {
	c.setCookie(c.jar.get())
	err := c.client.do()
	c.jar.set(c.cookie())
	return err
}
