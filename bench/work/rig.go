package work

import (
	"fmt"
	"sync"
)

// A rig is a contender ready for one work: its server, and clients that have a session where the work wants one.
type rig struct {
	*contender
	work    work
	plan    *plan
	server  server
	clients []client
	cores   int // that it may use; 0: all
	turn    int // requests of one turn
	sent    int // requests
}

// newRig makes sure that the contender does the work right before anybody times it.
func newRig(c *contender, w work, clients int) (*rig, error) {
	s, err := c.open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	r := &rig{contender: c, work: w, plan: &plan{task: w.task, values: w.values}, server: s}
	if err := r.prepare(clients); err != nil {
		s.close()
		return nil, r.explain(err)
	}
	return r, nil
}

func (r *rig) explain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s: %w", r.name, r.work.name, err)
}

func (r *rig) prepare(clients int) error {
	for range clients {
		c, err := r.newClient()
		if err != nil {
			return err
		}
		r.clients = append(r.clients, c)
	}
	if err := r.send(checked * clients); err != nil {
		return err
	}
	return r.check()
}

// newClient returns one that has a session of its own, where the work wants one.
func (r *rig) newClient() (client, error) {
	c := r.server.client(r.plan)
	if r.work.fresh {
		return c, nil
	}
	first, err := r.ask(fill, "")
	if err != nil {
		return nil, err
	}
	c.setCookie(first.cookie())
	return c, nil
}

// ask sends one request of another task with a cookie.
func (r *rig) ask(t task, cookie string) (client, error) {
	c := r.server.client(&plan{task: t, values: r.work.values})
	c.setCookie(cookie)
	return c, c.do()
}

// send divides n requests among the clients.
func (r *rig) send(n int) error {
	n /= len(r.clients)
	r.sent += n * len(r.clients)
	if len(r.clients) == 1 {
		return r.repeat(r.clients[0], n)
	}
	return r.together(n)
}

func (r *rig) together(n int) error {
	errs := make([]error, len(r.clients))
	var wg sync.WaitGroup
	for i, c := range r.clients {
		wg.Go(func() { errs[i] = r.repeat(c, n) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *rig) repeat(c client, n int) error {
	for range n {
		if r.work.fresh {
			c.setCookie("")
		}
		if err := c.do(); err != nil {
			return err
		}
	}
	return nil
}

func (r *rig) close() { r.server.close() }
