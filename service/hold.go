package service

import (
	"context"
	"errors"
	"reflect"
	"slices"
)

// keep makes svc, which was built, the service of e. If Close went on without it, keep closes svc instead.
func (r *Registry) keep(ctx context.Context, e *entry, svc any) error {
	if r.hold(e, svc) {
		return nil
	}
	if r.holds(svc) {
		return ErrClosed
	}
	return errors.Join(ErrClosed, e.close(ctx, svc))
}

// hold reports whether svc is the service of e now. It is not if Close went on without it.
func (r *Registry) hold(e *entry, svc any) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.drained {
		return false
	}
	r.holdLocked(e, svc)
	return true
}

// holdLocked makes svc the service of e and has Close close it. A service that comes a second time keeps its first
// place: services built from it in between must be closed before it.
func (r *Registry) holdLocked(e *entry, svc any) {
	if !r.holdsLocked(svc) {
		r.held = append(r.held, e)
	}
	e.built.Store(svc)
}

// holds reports whether r or one of its ancestors closes svc.
func (r *Registry) holds(svc any) bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.holdsLocked(svc)
}

// holdsLocked is also true for r itself: Close must not call itself.
func (r *Registry) holdsLocked(svc any) bool {
	held := func(e *entry) bool { return same(e.built.Load(), svc) }
	return svc == any(r) || slices.ContainsFunc(r.held, held) || r.parent.holds(svc)
}

// same reports whether a and b are one service. Values that can't be compared are two.
func same(a, b any) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}
