package live

import "sync"

// A barrier lets its parties go on when all of them have come.
type barrier struct {
	mu      sync.Mutex
	parties int           // guarded by mu
	here    int           // guarded by mu
	open    chan struct{} // closed when all are here; guarded by mu
}

func newBarrier(parties int) *barrier { return &barrier{parties: parties, open: make(chan struct{})} }

func (b *barrier) wait() {
	b.mu.Lock()
	b.here++
	open := b.open
	b.passLocked()
	b.mu.Unlock()
	<-open
}

// leave makes the others wait for one party less.
func (b *barrier) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.parties--
	b.passLocked()
}

func (b *barrier) passLocked() {
	if b.here > 0 && b.here >= b.parties {
		b.here = 0
		close(b.open)
		b.open = make(chan struct{})
	}
}
