package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/lazysession/session/store"
)

var endRules = []rule{
	{"end", "A session that has ended does not load.", end},
	{"end-refuses-commits", "A change of a session that has ended is refused, and does not bring it back.",
		endRefusesCommits},
	{"end-twice", "Ending a session that is gone is no error.", endTwice},
	{"end-one", "End leaves all other sessions as they were, also those of the same owner.", endOne},
	{"end-wins", "End wins against commits under way: after it has returned, no commit and no load finds the session.",
		endWins},
}

func end(p *probe) {
	r := p.create(creation())
	p.end(r.ID, store.LoggedOut)
	p.wantLoad(r.Token, store.ErrNotFound)
}

func endRefusesCommits(p *probe) {
	r := p.create(creation(set("a", "1")))
	p.end(r.ID, store.LoggedOut)
	for _, c := range []*store.Change{
		change(set("a", "2")), {Touched: true}, {IfVersion: r.Version, Cleared: true}, {IfValue: value("a", "1")},
	} {
		p.wantCommit(r.Token, c, store.ErrNotFound)
		p.wantLoad(r.Token, store.ErrNotFound)
	}
}

func endTwice(p *probe) {
	r := p.create(creation())
	p.end(r.ID, store.LoggedOut)
	p.end(r.ID, store.LoggedOut)
	p.end(newID(), store.Revoked)
}

func endOne(p *probe) {
	owner := newOwner()
	r, other, stranger := p.create(creationFor(owner)), p.create(creationFor(owner)), p.create(creation())
	p.end(r.ID, store.LoggedOut)
	p.wantUnchanged(other)
	p.wantUnchanged(stranger)
}

func endWins(p *probe) {
	for range 10 {
		r := p.create(creation(set("a", "1")))
		var ended atomic.Bool
		p.together(5, func(i int) error {
			if i > 0 {
				return p.commitUntilEnded(r, &ended)
			}
			defer ended.Store(true)
			return p.store.End(p.ctx, r.ID, store.LoggedOut)
		})
		p.wantLoad(r.Token, store.ErrNotFound)
	}
}

// commitUntilEnded commits until the session is gone, and then some more to see that it stays gone.
func (p *probe) commitUntilEnded(r *store.Record, ended *atomic.Bool) error {
	for refused := 0; refused < 3 && p.ctx.Err() == nil; {
		gone := ended.Load()
		_, err := p.store.Commit(p.ctx, r.Token, &store.Change{Touched: true, Edits: []store.Edit{add("n", 1)}})
		switch {
		case err == nil && (gone || refused > 0):
			return errors.New("commit: no error, though the session has ended")
		case errors.Is(err, store.ErrNotFound):
			refused++
		case err != nil:
			return fmt.Errorf("commit beside End: %w", err)
		}
	}
	return p.ctx.Err()
}
