package storetest

import (
	"os"
	"time"

	"github.com/lazysession/session/store"
)

// now is the time by the clock that decides what has expired.
func (p *probe) now() time.Time {
	if c, ok := p.store.(store.Clock); ok {
		return c.Now()
	}
	return time.Now()
}

// sleep waits for d, by the store's clock.
func (p *probe) sleep(d time.Duration) {
	p.Helper()
	p.sleepUntil(p.now().Add(d))
}

func (p *probe) sleepUntil(end time.Time) {
	p.Helper()
	for {
		left := end.Sub(p.now())
		if left < 0 {
			return
		}
		select {
		case <-time.After(min(left+time.Microsecond, 50*time.Millisecond)):
		case <-p.ctx.Done():
			p.Fatalf("waiting for the store's clock to reach %v: %v; it has to move by itself", end, p.ctx.Err())
		}
	}
}

// nextInstant makes sure that the next call has a later time than the calls before it.
func (p *probe) nextInstant() {
	p.Helper()
	p.sleep(2 * time.Millisecond)
}

// A span is when a call ran: the store did its work between the two times.
type span struct{ from, to time.Time }

func (p *probe) during(call func()) span {
	from := p.now()
	call()
	return span{from, p.now()}
}

// grain allows for stores that count milliseconds, and for clocks that are being adjusted.
const grain = 20 * time.Millisecond

// surelyWithin reports whether s certainly ended within d of the work in then, even if that was done at its very start.
func (s span) surelyWithin(d time.Duration, then span) bool {
	return s.to.Before(then.from.Add(d - grain))
}

// sleepPast waits until certainly more than d has passed since the work in then.
func (p *probe) sleepPast(d time.Duration, then span) {
	p.Helper()
	p.sleepUntil(then.to.Add(d + grain))
}

// patiently tries a rule that depends on speed, with longer and longer timeouts, until a try was quick enough to prove
// something. If none was, nothing was tested: the rule is skipped, or fails where CI=true.
func (p *probe) patiently(try func(d time.Duration) (proved bool)) {
	p.Helper()
	for d := 300 * time.Millisecond; d < 10*time.Second; d *= 2 {
		for range 2 {
			if try(d) || p.Failed() {
				return
			}
		}
	}
	const tooSlow = "the store or this machine is too slow to tell"
	if os.Getenv("CI") == "true" {
		p.Fatal(tooSlow + ", and CI=true")
	}
	p.Skip(tooSlow)
}
