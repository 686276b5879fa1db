package storetest

import (
	"fmt"
	"sync/atomic"

	"github.com/lazysession/session/store"
)

var touchRules = []rule{
	{"touch", "Touched moves last-seen to now, and nothing else.", touch},
	{"touch-alone", "Nothing but Touched moves last-seen, and nothing at all moves Created.", touchAlone},
	{"touch-forward", "Last-seen never moves back, however many touch at once.", touchForward},
}

func touch(p *probe) {
	old := p.create(creation(set("a", "1")))
	p.nextInstant()
	r := p.commit(old.Token, &store.Change{Touched: true})
	if r.LastSeen <= old.LastSeen {
		p.Errorf("LastSeen after a touch: got %v, want later than %v", r.LastSeen.Time(), old.LastSeen.Time())
	}
	want := new(*old)
	want.LastSeen = r.LastSeen
	p.wantUnchanged(want)
}

func touchAlone(p *probe) {
	old := p.create(creation(set("a", "1")))
	p.nextInstant()
	p.load(old.Token)
	c := everyKindOfChange()
	c.Touched = false
	p.commit(old.Token, c)
	r := p.load(c.RenewTo)
	if r.LastSeen != old.LastSeen || r.Created != old.Created {
		p.Errorf("after a change without Touched: got last seen %v, created %v, want %v, %v",
			r.LastSeen.Time(), r.Created.Time(), old.LastSeen.Time(), old.Created.Time())
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

// raise moves a up to n.
func raise(a *atomic.Int64, n int64) {
	for old := a.Load(); old < n && !a.CompareAndSwap(old, n); old = a.Load() {
	}
}
