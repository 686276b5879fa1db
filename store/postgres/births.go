package postgres

import (
	"sync"

	"github.com/lazysession/session/store"
)

// births puts the creations of this server before what else happens to those sessions. A creation is told when its commit
// has returned here, but another server can renew or end the session as soon as it is committed, and PostgreSQL be quicker
// to tell of that. So the events of a session whose creation is under way are held back until it has returned.
type births struct {
	watchers *store.Watchers

	mu sync.Mutex // held while watchers are told, which orders the events
	// mu locks the remaining field.
	held map[store.ID][]store.Event
}

// tell tells of an event, now or when the session's creation has returned.
func (b *births) tell(e store.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if held, ok := b.held[e.ID]; ok {
		b.held[e.ID] = append(held, e)
		return
	}
	b.watchers.Tell(e)
}

// begin holds back the events of a session that is to be created, until end is called.
func (b *births) begin(id store.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held == nil {
		b.held = make(map[store.ID][]store.Event)
	}
	b.held[id] = nil
}

// first tells of the creation itself.
func (b *births) first(e store.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers.Tell(e)
}

// end tells what was held back.
func (b *births) end(id store.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.held[id] {
		b.watchers.Tell(e)
	}
	delete(b.held, id)
}
