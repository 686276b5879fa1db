package postgres

import (
	"sync"

	"github.com/lazysession/session/store"
)

// births reports the creations of this server before all other events of those sessions. A creation is reported when
// its commit has returned. But another server can renew or end the session as soon as it is committed, and the
// notification of that may arrive first. So births holds back the events of a session until its creation is reported.
type births struct {
	watchers *store.Watchers

	mu sync.Mutex // held while watchers are called, to keep the events in order
	// mu locks the remaining field.
	held map[store.ID][]store.Event
}

// tell reports an event at once, or after the commit that creates the session has returned.
func (b *births) tell(e store.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if held, ok := b.held[e.ID]; ok {
		b.held[e.ID] = append(held, e)
		return
	}
	b.watchers.Tell(e)
}

// begin holds back the events of a session that is about to be created, until end is called.
func (b *births) begin(id store.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held == nil {
		b.held = make(map[store.ID][]store.Event)
	}
	b.held[id] = nil
}

// first reports an event before those that are held back.
func (b *births) first(e store.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers.Tell(e)
}

// end reports the events that were held back.
func (b *births) end(id store.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.held[id] {
		b.watchers.Tell(e)
	}
	delete(b.held, id)
}
