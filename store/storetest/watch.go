package storetest

import (
	"slices"
	"sync"
	"time"

	"github.com/lazysession/session/store"
)

var watchRules = []rule{
	{"watch", "A watcher is told, in order, that a session was created, renewed and ended, with its owner and the reason.",
		watch},
	{"watch-quiet", "A watcher is told of nothing else: not of edits, touches, or refused changes.", watchQuiet},
	{"watch-ended-once", "A session's end is told once, however often it is ended.", watchEndedOnce},
	{"watch-end-owner", "A watcher is told of each session that EndOwner ended, with its reason.", watchEndOwner},
	{"watch-evicted", "A watcher is told of the end of a session by a limit, with the reason Evicted.", watchEvicted},
	{"watch-expired", "A watcher is told of the end of an expired session, once it was swept, with the reason Expired.",
		watchExpired},
	{"watch-all", "Every watcher is told.", watchAll},
	{"watch-cancel", "A cancelled watcher is told nothing more; the others still are.", watchCancel},
}

// eventPatience is how long an event may take to arrive. It is a variable, since events are missing on purpose in this
// package's own tests.
var eventPatience = 15 * time.Second

// A diary keeps the events that one watcher was told.
type diary struct {
	p      *probe
	cancel func()

	mu sync.Mutex
	// mu locks the remaining field.
	events []store.Event
}

func (p *probe) watch(w store.Watcher) *diary {
	d := &diary{p: p}
	d.cancel = sync.OnceFunc(w.Watch(d.note))
	p.Cleanup(d.cancel)
	return d
}

func (d *diary) note(e store.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, e)
}

// of returns the events of a session.
func (d *diary) of(id store.ID) []store.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(d.events), func(e store.Event) bool { return e.ID != id })
}

// wait returns the events of a session once there are n of them.
func (d *diary) wait(id store.ID, n int) []store.Event {
	d.p.Helper()
	for deadline := time.Now().Add(eventPatience); ; time.Sleep(time.Millisecond) {
		if told := d.of(id); len(told) >= n || time.Now().After(deadline) {
			return told
		}
	}
}

// want waits for the events of a session, and tests them.
func (d *diary) want(id store.ID, want ...store.Event) {
	d.p.Helper()
	d.wait(id, len(want))
	d.settle()
	for i := range want {
		want[i].ID = id
	}
	if got := d.of(id); !slices.Equal(got, want) {
		d.p.Errorf("events: got %+v, want %+v", got, want)
	}
}

// settle waits for the events of a new session, so that all events before it have arrived, too.
func (d *diary) settle() {
	d.p.Helper()
	if id := d.p.create(creation()).ID; len(d.wait(id, 1)) == 0 {
		d.p.Fatalf("no event of a new session within %v", eventPatience)
	}
}

func watch(p *probe) {
	d, owner := p.watch(need[store.Watcher](p)), newOwner()
	r := p.create(creation())
	r = p.commit(r.Token, renewalFor(owner))
	p.end(r.ID, store.LoggedOut)
	d.want(r.ID,
		store.Event{Kind: store.Created},
		store.Event{Kind: store.Renewed, Owner: owner},
		store.Event{Kind: store.Ended, Owner: owner, Reason: store.LoggedOut})
}

func watchQuiet(p *probe) {
	d, owner := p.watch(need[store.Watcher](p)), newOwner()
	r := p.create(creationFor(owner))
	p.commit(r.Token, change(set("a", `"x"`)))
	p.commit(r.Token, &store.Change{Touched: true})
	p.load(r.Token)
	p.wantCommit(r.Token, renewal(newToken(), add("a", 1)), store.ErrNotInteger)
	p.wantCommit(r.Token, &store.Change{RenewTo: newToken(), IfVersion: 100}, store.ErrConflict)
	p.wantCommit(r.Token, &store.Change{Created: true, ID: r.ID, IdleTimeout: 1e9, Lifetime: 1e9}, store.ErrConflict)
	d.want(r.ID, store.Event{Kind: store.Created, Owner: owner})
}

func watchEndedOnce(p *probe) {
	d := p.watch(need[store.Watcher](p))
	r := p.create(creation())
	p.together(4, func(int) error { return p.store.End(p.ctx, r.ID, store.Revoked) })
	p.end(r.ID, store.Revoked)
	d.want(r.ID, store.Event{Kind: store.Created}, store.Event{Kind: store.Ended, Reason: store.Revoked})
}

func watchEndOwner(p *probe) {
	d, ender, owner := p.watch(need[store.Watcher](p)), need[store.OwnerEnder](p), newOwner()
	rs := p.createSome(3, owner)
	p.wantEndOwner(ender, owner, []store.ID{rs[2].ID}, 2)
	created := store.Event{Kind: store.Created, Owner: owner}
	for _, r := range rs[:2] {
		d.want(r.ID, created, store.Event{Kind: store.Ended, Owner: owner, Reason: store.Revoked})
	}
	d.want(rs[2].ID, created)
}

func watchEvicted(p *probe) {
	d, owner := p.watch(need[store.Watcher](p)), newOwner()
	old := p.create(creationFor(owner))
	p.nextInstant()
	p.create(limited(creation(), owner, 1))
	d.want(old.ID,
		store.Event{Kind: store.Created, Owner: owner},
		store.Event{Kind: store.Ended, Owner: owner, Reason: store.Evicted})
}

func watchExpired(p *probe) {
	d, sweeper, owner := p.watch(need[store.Watcher](p)), need[store.Sweeper](p), newOwner()
	r := p.createExpired(creationFor(owner))
	for deadline := time.Now().Add(eventPatience); len(d.of(r.ID)) < 2 && time.Now().Before(deadline); {
		if _, err := sweeper.Sweep(p.ctx); err != nil {
			p.Fatalf("Sweep: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	d.want(r.ID,
		store.Event{Kind: store.Created, Owner: owner},
		store.Event{Kind: store.Ended, Owner: owner, Reason: store.Expired})
}

func watchAll(p *probe) {
	w := need[store.Watcher](p)
	first, second := p.watch(w), p.watch(w)
	r := p.create(creation())
	first.want(r.ID, store.Event{Kind: store.Created})
	second.want(r.ID, store.Event{Kind: store.Created})
}

func watchCancel(p *probe) {
	w := need[store.Watcher](p)
	first, second, third := p.watch(w), p.watch(w), p.watch(w)
	second.cancel()
	r := p.create(creation())
	first.want(r.ID, store.Event{Kind: store.Created})
	third.want(r.ID, store.Event{Kind: store.Created})
	if told := second.of(r.ID); len(told) > 0 {
		p.Errorf("a cancelled watcher was told %+v", told)
	}
}
