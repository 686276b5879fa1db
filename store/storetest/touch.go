package storetest

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/lazysession/session/store"
)

var touchRules = []rule{
	{"touch", "Touched moves last-seen to now, and nothing else.", touch},
	{"touch-alone", "Nothing but Touched and IdleTimeout moves last-seen, and nothing at all moves Created.",
		touchAlone},
	{"touch-by-idle-timeout", "A change of the idle timeout moves last-seen to now.", touchByIdleTimeout},
	{"touch-forward", "Last-seen never moves back, whatever number of requests touch at once.", touchForward},
}

func touch(p *probe) {
	old := p.create(creation(set("a", "1")))
	p.nextInstant()
	r := p.commit(old.Token, &store.Change{Touched: true})
	p.wantSeenAgain(r, old)
	want := new(*old)
	want.LastSeen = r.LastSeen
	p.wantUnchanged(want)
}

func (p *probe) wantSeenAgain(r, old *store.Record) {
	p.Helper()
	if r.LastSeen <= old.LastSeen {
		p.Errorf("LastSeen after a touch: got %v, want later than %v", r.LastSeen.Time(), old.LastSeen.Time())
	}
}

func touchAlone(p *probe) {
	old := p.create(creation(set("a", "1")))
	p.nextInstant()
	p.load(old.Token)
	c := everyKindOfChange()
	c.Touched, c.IdleTimeout = false, 0
	p.commit(old.Token, c)
	r := p.load(c.RenewTo)
	if r.LastSeen != old.LastSeen || r.Created != old.Created {
		p.Errorf("after a change without Touched: got last seen %v, created %v, want %v, %v",
			r.LastSeen.Time(), r.Created.Time(), old.LastSeen.Time(), old.Created.Time())
	}
}

func touchByIdleTimeout(p *probe) {
	r := p.create(creation(set("a", "1")))
	for _, idle := range []time.Duration{2 * idleTimeout, idleTimeout, idleTimeout} {
		p.nextInstant()
		old := r
		r = p.commit(r.Token, &store.Change{IdleTimeout: idle})
		p.wantSeenAgain(r, old)
		p.wantUnchanged(after(old, func(want *store.Record) { want.LastSeen, want.IdleTimeout = r.LastSeen, idle }))
	}
}

func touchForward(p *probe) {
	token := p.create(creation()).Token
	var newest atomic.Int64 // the latest LastSeen that was ever returned
	p.together(6, func(i int) error {
		for range 30 {
			least := newest.Load()
			r, err := checked(p.touchOrLoad(token, i%2 == 0))
			if err != nil {
				return err
			}
			if int64(r.LastSeen) < least {
				return fmt.Errorf("lastSeen: got %v, though it was %v before", r.LastSeen.Time(), store.Instant(least).Time())
			}
			raise(&newest, int64(r.LastSeen))
		}
		return nil
	})
}

func (p *probe) touchOrLoad(token store.Token, touch bool) (*store.Record, error) {
	if touch {
		return p.store.Commit(p.ctx, token, &store.Change{Touched: true})
	}
	return p.store.Load(p.ctx, token)
}

// raise sets a to n if n is greater.
func raise(a *atomic.Int64, n int64) {
	for old := a.Load(); old < n && !a.CompareAndSwap(old, n); old = a.Load() {
	}
}
