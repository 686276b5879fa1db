package work

import (
	"context"
	"fmt"
	"strings"

	"github.com/lazysession/session/bench/child"
	"github.com/lazysession/session/bench/measure"
)

// networked are the contenders whose requests are measured over a network.
var networked = []*contender{bare, valued, ours, scsGob}

var overNetwork = []work{
	{name: "untouched", task: touchNothing, values: 1},
	{name: "read one value", task: readOne, values: 1},
	{name: "count one hit", task: countHit, values: 1},
}

// Loopback measures whole requests end to end: a server on one core, and a load generator on another that sends over a
// fixed number of connections.
func Loopback(ctx context.Context, run *measure.Run) error {
	fire, err := newGenerator()
	if err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	all, err := startAll(ctx)
	defer stopAll(all)
	if err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	m := match{Run: run, part: "loopback"}
	for _, w := range overNetwork {
		m.Log("loopback: %s, %d connections", w.name, connections)
		err := measure.Turns(ctx, m.Turns, all, func(s *site) error { return m.overNetwork(ctx, s, w, fire) })
		if err != nil {
			return fmt.Errorf("loopback: %w", err)
		}
	}
	return nil
}

// overNetwork times one turn, after it has made sure that the server does its work right.
func (m match) overNetwork(ctx context.Context, s *site, w work, fire generator) error {
	done := s.insteadOf(w)
	r, err := newRig(s.contender, done, 1)
	if err != nil {
		return err
	}
	cookie := r.clients[0].cookie()
	if cookie == "" {
		cookie = foreign
	}
	found, err := fire(ctx, s.url(done.task), cookie)
	if err != nil {
		return r.explain(err)
	}
	m.Add(m.sample(s.contender, w, "requests/s", ""), found.perSecond)
	w.name += ": p99"
	m.Add(m.sample(s.contender, w, "µs", ""), found.p99)
	return nil
}

// foreign is the cookie for servers that give none. It is as long as this library's signed one: longer requests cost a
// server more, whatever it does with them.
var foreign = "__Host-session=" + strings.Repeat("x", 120)

// startAll starts all servers at once: one that waits for its turn costs the others nothing. With an error it returns
// those that have started.
func startAll(ctx context.Context) ([]*site, error) {
	var all []*site
	for _, c := range networked {
		p, err := child.Start(ctx, siteName(c))
		if err != nil {
			return all, err
		}
		all = append(all, newSite(c, p))
	}
	return all, nil
}

func stopAll(all []*site) {
	for _, s := range all {
		s.process.Stop()
	}
}
