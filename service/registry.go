package service

import (
	"maps"
	"sync"
	"sync/atomic"
)

// A Registry holds the services of one scope. The zero Registry is empty and has no parent.
//
// Goroutines may share it. It must not be copied after its first use.
type Registry struct {
	parent  *Registry
	catalog atomic.Pointer[catalog] // nil: nothing provided yet

	// mu locks the remaining fields, and replacing the catalog.
	mu      sync.Mutex
	held    []*closer // what Close closes, oldest first
	drained bool      // Close has taken held: what comes now comes too late
	closing *closing  // nil until the first Close
}

// A catalog is what queries read. It never changes once it is published, so that they need no lock.
type catalog struct {
	closed  bool
	entries map[key]entry
}

// An entry is one service of the catalog: always an *entryOf[T], where T is its key's type.
type entry interface {
	runningLocked() *build // nil: its builder does not run now; locked by waiting
}

// NewRegistry returns an empty registry. A query that finds nothing in it asks the parent,
// which may be nil.
//
// Close children before their parent: a child whose parent is closed still answers for its own
// services, and fails with [ErrClosed] where it would have to ask the parent.
func NewRegistry(parent *Registry) *Registry {
	return &Registry{parent: parent}
}

// find returns the entry under k of the nearest registry that has one; where none has, nil and the last one asked.
func (r *Registry) find(k key) (e entry, root *Registry, err error) {
	for ; r != nil; root, r = r, r.parent {
		c := r.load()
		if c.closed {
			return nil, nil, about(ErrClosed, k)
		}
		if e, ok := c.entries[k]; ok {
			return e, nil, nil
		}
	}
	return nil, root, nil
}

// add publishes e, whose service is c's if it is already there.
func (r *Registry) add(k key, e entry, c *closer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.load()
	if old.closed {
		return about(ErrClosed, k)
	}
	if _, taken := old.entries[k]; taken {
		return about(ErrTaken, k)
	}
	r.holdLocked(c)
	r.catalog.Store(old.with(k, e))
	return nil
}

func (r *Registry) load() catalog {
	if c := r.catalog.Load(); c != nil {
		return *c
	}
	return catalog{}
}

func (c catalog) with(k key, e entry) *catalog {
	entries := maps.Clone(c.entries)
	if entries == nil {
		entries = make(map[key]entry, 1)
	}
	entries[k] = e
	return &catalog{entries: entries}
}
