package work

import "context"

// growSessions has contenders that keep sessions in memory read the sessions of many visitors.
func growSessions(ctx context.Context, m match) error {
	crowds, rigs, err := gather()
	defer closeAll(rigs)
	if err != nil {
		return err
	}
	for m.parameter = 1000; m.parameter <= m.Sessions; m.parameter *= 10 {
		m.Log("growth: read one of %d sessions", m.parameter)
		if err := growAll(ctx, crowds, m.parameter); err != nil {
			return err
		}
		if err := m.play(ctx, rigs); err != nil {
			return err
		}
	}
	return nil
}

func gather() (crowds []*crowd, rigs []*rig, err error) {
	for _, c := range []*contender{ours, scsGob, scsJSON} {
		r, err := newRig(c, work{name: "read from one of so many sessions", task: readOne, values: 1}, 1)
		if err != nil {
			return nil, rigs, err
		}
		visitors := &crowd{client: r.clients[0], cookies: []string{r.clients[0].cookie()}}
		r.clients[0] = visitors
		crowds, rigs = append(crowds, visitors), append(rigs, r)
		visitors.first = r.server.client(&plan{task: fill, values: 1})
	}
	return crowds, rigs, nil
}

func growAll(ctx context.Context, crowds []*crowd, n int) error {
	for _, c := range crowds {
		if err := c.grow(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// A crowd is a client that stands for another visitor in each request.
type crowd struct {
	client
	first   client // sends first visits
	cookies []string
	i       int
}

func (c *crowd) grow(ctx context.Context, n int) error {
	for len(c.cookies) < n && ctx.Err() == nil {
		c.first.setCookie("")
		if err := c.first.do(); err != nil {
			return err
		}
		c.cookies = append(c.cookies, c.first.cookie())
	}
	return ctx.Err()
}

// stride is prime to any number of visitors here, so that all have their turn, and neighbours come at very different
// times.
const stride = 7919

func (c *crowd) do() error {
	c.i = (c.i + stride) % len(c.cookies)
	c.setCookie(c.cookies[c.i])
	return c.client.do()
}
