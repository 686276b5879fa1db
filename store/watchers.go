package store

import (
	"slices"
	"sync"
)

// Watchers implements [Watcher] for the stores that embed it. The zero Watchers is ready to use, by many goroutines.
type Watchers struct {
	mu sync.RWMutex
	// mu locks the remaining field.
	funcs []*func(Event)
}

// Watch adds f until cancel is called.
func (w *Watchers) Watch(f func(Event)) (cancel func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.funcs = append(w.funcs, &f)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.funcs = slices.DeleteFunc(w.funcs, func(g *func(Event)) bool { return g == &f })
	}
}

// Tell calls every watcher, one after the other. Watchers return soon and don't call the store, so a store may call
// Tell under the lock that orders a session's changes, which keeps its events in order.
func (w *Watchers) Tell(e Event) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, f := range w.funcs {
		(*f)(e)
	}
}
