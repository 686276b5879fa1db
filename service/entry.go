package service

import (
	"context"
	"sync/atomic"
)

// An entry is a service, or the way to build one.
type entry struct {
	key     key
	home    *Registry
	builder func(context.Context) (any, error) // nil: the service was provided
	built   atomic.Value                       // the service; empty: not built yet

	current *build // the run of builder under way, or nil; locked by home.mu
}

// get returns the service. It builds a service that is not built yet.
func (e *entry) get(ctx context.Context) (any, error) {
	for {
		if svc := e.built.Load(); svc != nil {
			return svc, nil
		}
		if err := e.attempt(ctx); err != nil {
			return nil, err
		}
	}
}

// attempt runs the builder, or waits for the goroutine that runs it. After nil there may still be no service: the
// other goroutine's query was cancelled, and this one has to try again.
func (e *entry) attempt(ctx context.Context) error {
	b, mine, err := e.join(buildFrom(ctx))
	switch {
	case b == nil:
		return err
	case mine:
		return b.run(ctx)
	}
	if err := b.wait(ctx); err != nil {
		return err
	}
	return b.err
}

// join returns the build under way, or a new one that the caller must run. It returns nil if the service has been built
// meanwhile, or if it is too late to build it.
func (e *entry) join(asker *build) (b *build, mine bool, err error) {
	e.home.mu.Lock()
	defer e.home.mu.Unlock()
	switch {
	case e.built.Load() != nil:
		return nil, false, nil
	case e.current != nil:
		return e.current, false, nil
	case e.home.load().closed:
		return nil, false, about(ErrClosed, e.key)
	}
	e.current = &build{entry: e, asker: asker, done: make(chan struct{})}
	return e.current, true, nil
}
