package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lazysession/session/store"
)

var serviceRules = []rule{
	{"sweep-ends", "Sweep, called again while it returns 0, at some time returns more than 0.",
		sweepEnds},
	{"sweep-spares", "Sweep removes no live session.", sweepSpares},
	{"ping", "Ping of a store that can be reached is no error.", ping},
	{"cancelled-returns", "Calls with a cancelled context return soon, and have done all of their work or none.",
		cancelledReturns},
	{"cancelled-harms-nobody", "Calls that are cancelled half-way harm no other calls.", cancelledHarmsNobody},
}

// sweepAll sweeps until the store has nothing more to sweep now.
func (p *probe) sweepAll(s store.Sweeper) {
	p.Helper()
	const most = 10_000
	for range most {
		next, err := s.Sweep(p.ctx)
		if err != nil {
			p.Fatalf("Sweep: %v", err)
		}
		if next > 0 {
			return
		}
	}
	p.Fatalf("Sweep was called %d times, and still says that more is waiting", most)
}

func sweepEnds(p *probe) {
	sweeper := need[store.Sweeper](p)
	for range 20 {
		c := creation()
		c.IdleTimeout = short
		p.create(c)
	}
	p.sleep(short + grain)
	p.sweepAll(sweeper)
	p.sweepAll(sweeper)
}

func sweepSpares(p *probe) {
	sweeper, owner := need[store.Sweeper](p), newOwner()
	kept := p.createSome(10, owner)
	for i, r := range kept {
		if i%2 == 0 {
			kept[i] = p.commit(r.Token, renewal(newToken(), set("a", "1")))
		}
	}
	p.createExpired(creationFor(owner))
	p.sweepAll(sweeper)
	for _, r := range kept {
		p.wantUnchanged(r)
	}
}

func ping(p *probe) {
	if err := need[store.Pinger](p).Ping(p.ctx); err != nil {
		p.Errorf("Ping: %v", err)
	}
}

func cancelledReturns(p *probe) {
	const soon = 5 * time.Second
	r := p.create(creation(set("a", "1"), set("b", "1")))
	ctx, cancel := context.WithCancel(p.ctx)
	cancel()
	calls := p.during(func() {
		_, _ = p.store.Load(ctx, r.Token)
		_, _ = p.store.Commit(ctx, r.Token, change(set("a", "2"), set("b", "2")))
	})
	if took := calls.to.Sub(calls.from); took > soon {
		p.Errorf("Load and Commit with a cancelled context took %v", took)
	}
	now := p.load(r.Token)
	a, _ := now.Values.Get("a")
	if b, _ := now.Values.Get("b"); a != b {
		p.Errorf("a cancelled Commit was applied in part: a is %s, b is %s", a, b)
	}
}

func cancelledHarmsNobody(p *probe) {
	const sessions, rounds = 6, 30
	var rs []*store.Record
	for i := range sessions {
		rs = append(rs, p.create(creation(set("mine", fmt.Sprint(i)))))
	}
	p.together(sessions, func(i int) error {
		for round := range rounds {
			other := rs[(i+1)%sessions].Token
			ctx, cancel := context.WithTimeout(p.ctx, time.Duration(round*20)*time.Microsecond)
			_, _ = p.store.Commit(ctx, other, &store.Change{Touched: true})
			_, _ = p.store.Load(ctx, other)
			cancel()
			if err := p.wantMine(rs[i], fmt.Sprint(i)); err != nil {
				return err
			}
		}
		return nil
	})
}

// wantMine loads a session and tests that it gets this session, not the answer to a cancelled call.
func (p *probe) wantMine(r *store.Record, mine string) error {
	got, err := checked(p.store.Load(p.ctx, r.Token))
	if err != nil {
		return fmt.Errorf("load after cancelled calls: %w", err)
	}
	if doc, _ := got.Values.Get("mine"); got.Token != r.Token || got.ID != r.ID || doc != mine {
		return errors.New("load after cancelled calls: got another session")
	}
	return nil
}
