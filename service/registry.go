package service

import (
	"maps"
	"sync"
	"sync/atomic"
)

// A Registry holds the services of one scope. The zero Registry is empty and has no parent.
//
// Goroutines may share a Registry. It must not be copied after its first use.
type Registry struct {
	parent  *Registry
	catalog atomic.Pointer[catalog] // nil: nothing provided yet

	mu sync.Mutex
	// mu locks the remaining fields, and replacing the catalog.
	held    []*entry // what Close closes, oldest first
	drained bool     // Close has taken held, and closes nothing that comes now
	closing *closing // nil until the first Close
}

// A catalog is what queries read. A published catalog never changes, so that queries need no lock.
type catalog struct {
	closed  bool
	entries map[key]*entry
}

// NewRegistry returns an empty registry. A query that finds nothing in it asks the parent, which may be nil.
//
// Close children before their parent. A child whose parent is closed still returns its own services. A query that it
// would pass on to the parent returns [ErrClosed].
func NewRegistry(parent *Registry) *Registry {
	return &Registry{parent: parent}
}

// find returns the entry under k of the nearest registry that has one. If there is none, it returns the last registry
// it asked.
func (r *Registry) find(k key) (e *entry, root *Registry, err error) {
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

// add puts e into the catalog, with its service if that is built.
func (r *Registry) add(e *entry, svc any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.load()
	if old.closed {
		return about(ErrClosed, e.key)
	}
	if _, taken := old.entries[e.key]; taken {
		return about(ErrTaken, e.key)
	}
	if svc != nil {
		r.holdLocked(e, svc)
	}
	r.catalog.Store(old.with(e))
	return nil
}

func (r *Registry) load() catalog {
	if c := r.catalog.Load(); c != nil {
		return *c
	}
	return catalog{}
}

func (c catalog) with(e *entry) *catalog {
	entries := maps.Clone(c.entries)
	if entries == nil {
		entries = make(map[key]*entry, 1)
	}
	entries[e.key] = e
	return &catalog{entries: entries}
}
