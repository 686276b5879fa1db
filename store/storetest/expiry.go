package storetest

import (
	"errors"
	"time"

	"github.com/lazysession/session/store"
)

var expiryRules = []rule{
	{"expires-when-idle", "An unused session loads until its idle timeout has passed, and not after.", expiresWhenIdle},
	{"expires-in-the-end", "A session ends at the end of its lifetime, however much it is used.", expiresInTheEnd},
	{"expired-takes-no-change", "A change of an expired session is refused, also a touch, and one that would prolong it.",
		expiredTakesNoChange},
	{"expired-is-not-listed", "An expired session is in no list.", expiredIsNotListed},
	{"touch-prolongs", "A touch starts the idle timeout anew.", touchProlongs},
	{"only-touch-prolongs", "Loads, and changes without Touched and IdleTimeout, prolong nothing.", onlyTouchProlongs},
	{"shorter-idle-timeout", "A shorter idle timeout counts at once, and from now: a session that was unused for longer " +
		"lives on for that time.", shorterIdleTimeout},
	{"longer-idle-timeout", "A longer idle timeout counts at once.", longerIdleTimeout},
	{"shorter-lifetime", "A shorter lifetime counts at once.", shorterLifetime},
	{"longer-lifetime", "A longer lifetime counts at once.", longerLifetime},
}

const short = 150 * time.Millisecond

// createLasting makes a session with these timeouts, or with the usual one in place of a 0. It returns when the session
// was created.
func (p *probe) createLasting(c *store.Change, idle, life time.Duration) (r *store.Record, created span) {
	p.Helper()
	if idle != 0 {
		c.IdleTimeout = idle
	}
	if life != 0 {
		c.Lifetime = life
	}
	created = p.during(func() { r = p.create(c) })
	return r, created
}

// createExpired makes a session and waits until it has expired.
func (p *probe) createExpired(c *store.Change) *store.Record {
	p.Helper()
	r, created := p.createLasting(c, short, 0)
	p.sleepPast(short, created)
	return r
}

func expiresWhenIdle(p *probe) {
	const idle = 2 * short
	r, created := p.createLasting(creation(), idle, 0)
	for {
		var err error
		loading := p.during(func() { _, err = p.store.Load(p.ctx, r.Token) })
		if !loading.surelyWithin(idle, created) {
			break
		}
		if err != nil {
			p.Fatalf("Load before the idle timeout: %v", err)
		}
		p.sleep(5 * time.Millisecond)
	}
	p.sleepPast(idle, created)
	p.wantLoad(r.Token, store.ErrNotFound)
}

func expiresInTheEnd(p *probe) {
	const life = 2 * short
	r, created := p.createLasting(creation(), 0, life)
	for {
		var err error
		touching := p.during(func() { _, err = p.store.Commit(p.ctx, r.Token, &store.Change{Touched: true}) })
		if !touching.surelyWithin(life, created) {
			break
		}
		if err != nil {
			p.Fatalf("Commit before the end of the lifetime: %v", err)
		}
		p.sleep(5 * time.Millisecond)
	}
	p.sleepPast(life, created)
	p.wantLoad(r.Token, store.ErrNotFound)
}

func expiredTakesNoChange(p *probe) {
	r := p.createExpired(creation(set("a", "1")))
	for _, c := range []*store.Change{
		{Touched: true}, {Touched: true, IdleTimeout: idleTimeout}, {IdleTimeout: idleTimeout}, change(set("a", "2")),
		renewal(newToken()), {},
	} {
		p.wantCommit(r.Token, c, store.ErrNotFound)
	}
}

func expiredIsNotListed(p *probe) {
	lister, owner := need[store.Lister](p), newOwner()
	r := p.createExpired(creationFor(owner))
	for _, filter := range []store.Filter{{Owner: owner}, {All: true}} {
		if p.list(lister, filter)[r.ID] != nil {
			p.Errorf("List with %+v: got the expired session", filter)
		}
	}
}

func touchProlongs(p *probe) {
	p.patiently(func(idle time.Duration) bool {
		r, created := p.createLasting(creation(), idle, 0)
		p.sleepUntil(created.from.Add(idle * 2 / 3))
		var err error
		touched := p.during(func() { _, err = p.store.Commit(p.ctx, r.Token, &store.Change{Touched: true}) })
		if !touched.surelyWithin(idle, created) {
			return false
		}
		if err != nil {
			p.Fatalf("touching before the idle timeout: %v", err)
		}
		p.sleepPast(idle, created)
		loaded := p.during(func() { _, err = p.store.Load(p.ctx, r.Token) })
		if !loaded.surelyWithin(idle, touched) {
			return false
		}
		if err != nil {
			p.Errorf("Load within the idle timeout after a touch: %v", err)
		}
		p.sleepPast(idle, touched)
		p.wantLoad(r.Token, store.ErrNotFound)
		return true
	})
}

func onlyTouchProlongs(p *probe) {
	r, created := p.createLasting(creation(), 2*short, 0)
	p.sleepUntil(created.from.Add(short))
	_, loadErr := p.store.Load(p.ctx, r.Token)
	_, commitErr := p.store.Commit(p.ctx, r.Token, change(set("a", "1")))
	if err := errors.Join(loadErr, commitErr); err != nil && !errors.Is(err, store.ErrNotFound) {
		p.Fatal(err)
	}
	p.sleepPast(2*short, created)
	p.wantLoad(r.Token, store.ErrNotFound)
}

func shorterIdleTimeout(p *probe) {
	p.patiently(func(idle time.Duration) bool {
		r, created := p.createLasting(creation(), 0, 0)
		p.sleepPast(idle, created)
		changed := p.during(func() { p.commit(r.Token, &store.Change{IdleTimeout: idle}) })
		var err error
		loaded := p.during(func() { _, err = p.store.Load(p.ctx, r.Token) })
		if !loaded.surelyWithin(idle, changed) {
			return false
		}
		if err != nil {
			p.Errorf("Load within the shorter idle timeout after the change: %v", err)
		}
		p.sleepPast(idle, changed)
		p.wantLoad(r.Token, store.ErrNotFound)
		return true
	})
}

func shorterLifetime(p *probe) {
	r, created := p.createLasting(creation(), 0, 0)
	p.commit(r.Token, &store.Change{Lifetime: short})
	p.sleepPast(short, created)
	p.wantLoad(r.Token, store.ErrNotFound)
}

func longerIdleTimeout(p *probe) {
	p.patiently(func(d time.Duration) bool {
		r, created := p.createLasting(creation(), d, 0)
		return p.outlasts(r, d, created, &store.Change{IdleTimeout: idleTimeout})
	})
}

func longerLifetime(p *probe) {
	p.patiently(func(d time.Duration) bool {
		r, created := p.createLasting(creation(), 0, d)
		return p.outlasts(r, d, created, &store.Change{Lifetime: lifetime})
	})
}

// outlasts tests that a session lives longer than d after a change. It reports whether it was quick enough to tell.
func (p *probe) outlasts(r *store.Record, d time.Duration, created span, by *store.Change) bool {
	p.Helper()
	var err error
	changed := p.during(func() { _, err = p.store.Commit(p.ctx, r.Token, by) })
	if !changed.surelyWithin(d, created) {
		return false
	}
	if err != nil {
		p.Fatalf("Commit before the timeout: %v", err)
	}
	p.sleepPast(d, created)
	p.load(r.Token)
	return true
}
