package service

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// An entryOf is a service, or the way to build one.
type entryOf[T any] struct {
	key     key
	home    *Registry
	builder func(context.Context) (T, error)
	built   atomic.Pointer[T] // nil: not built yet

	current *build // the run of builder under way; locked by waiting
}

func (e *entryOf[T]) runningLocked() *build { return e.current }

func (e *entryOf[T]) get(ctx context.Context) (T, error) {
	if svc := e.built.Load(); svc != nil {
		return *svc, nil
	}
	return e.await(ctx)
}

// await returns the service once it is built, by this goroutine or another.
func (e *entryOf[T]) await(ctx context.Context) (none T, _ error) {
	for {
		err := e.attempt(ctx)
		if svc := e.built.Load(); svc != nil {
			return *svc, nil
		}
		if err != nil {
			return none, err
		}
	}
}

// attempt sees one build to its end. If it returns nil and there is no service, the build was
// given up by the query it ran for, and says nothing about other queries.
func (e *entryOf[T]) attempt(ctx context.Context) error {
	b, mine, err := e.join(buildFrom(ctx))
	switch {
	case err != nil:
		return err
	case mine:
		return e.run(ctx, b)
	case b != nil:
		return b.wait(ctx)
	}
	return nil
}

// join returns the build to wait for, or a new one that the caller must run, or nil if the
// service has been built meanwhile.
func (e *entryOf[T]) join(asker *build) (b *build, mine bool, err error) {
	waiting.Lock()
	defer waiting.Unlock()
	switch {
	case e.built.Load() != nil:
		return nil, false, nil
	case e.current != nil:
		return e.current, false, nil
	case e.home.load().closed:
		return nil, false, about(ErrClosed, e.key)
	}
	e.current = startLocked(e.key, asker)
	return e.current, true, nil
}

func (e *entryOf[T]) run(ctx context.Context, b *build) error {
	// Deferred, because a builder may end its goroutine, as a test's FailNow does.
	defer e.end(ctx, b)
	svc, err := e.call(withBuild(NewContext(ctx, e.home), b))
	if err == nil {
		err = e.keep(ctx, svc)
	}
	b.fail(err)
	return b.err
}

func (e *entryOf[T]) call(ctx context.Context) (svc T, err error) {
	defer recoverAs(&err)
	return e.builder(ctx)
}

// keep puts svc into the registry's care, then before the eyes of all: in the other order,
// a service that uses it could be complete, and so be closed, after it.
func (e *entryOf[T]) keep(ctx context.Context, svc T) error {
	if isNil(svc) {
		return errNilService
	}
	c := newCloser(e.key, svc)
	if !e.home.hold(c) {
		return errors.Join(ErrClosed, e.home.closeLate(ctx, c))
	}
	e.built.Store(&svc)
	return nil
}

func (e *entryOf[T]) end(ctx context.Context, b *build) {
	cancelled := ctx.Err() != nil // asked before locking: the context's code is not ours
	waiting.Lock()
	defer waiting.Unlock()
	e.current = nil
	b.endLocked(cancelled)
}

// fail sets what those who wait are told; a nil err says that nothing failed.
func (b *build) fail(err error) {
	b.err = nil
	if err != nil {
		b.err = fmt.Errorf("service: build %v: %w", b.key, err)
	}
}
