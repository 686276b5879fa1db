package service

import (
	"context"
	"fmt"
)

// A build is one run of a builder.
type build struct {
	entry *entry
	asker *build        // the build whose builder asked for this service, or nil
	done  chan struct{} // closed at the end
	err   error         // what waiting queries return; nil: they look again. Set before done is closed.
}

func (b *build) run(ctx context.Context) (err error) {
	// The builder may end its goroutine, as a test's FailNow does: then only the deferred function runs.
	err = errExited
	defer func() {
		if err != nil {
			err = fmt.Errorf("service: build %v: %w", b.entry.key, err)
		}
		b.end(ctx, err)
	}()
	var svc any
	if svc, err = b.call(ctx); err == nil {
		err = b.entry.home.keep(ctx, b.entry, svc)
	}
	return err
}

func (b *build) call(ctx context.Context) (svc any, err error) {
	defer recoverAs(&err)
	svc, err = b.entry.builder(withBuild(NewContext(ctx, b.entry.home), b))
	if err == nil && isNil(svc) {
		err = errNilService
	}
	return svc, err
}

// end wakes the queries that wait. They return err too, unless the build's own query was cancelled: that says nothing
// about theirs.
func (b *build) end(ctx context.Context, err error) {
	if ctx.Err() == nil {
		b.err = err
	}
	b.entry.home.mu.Lock()
	b.entry.current = nil
	b.entry.home.mu.Unlock()
	close(b.done)
}

// wait waits for the end of the build. It refuses to do so for the build's own builder, which would wait for itself.
func (b *build) wait(ctx context.Context) error {
	if err := b.cycle(buildFrom(ctx)); err != nil {
		return err
	}
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("service: wait for the build of %v: %w", b.entry.key, context.Cause(ctx))
	}
}

// cycle returns an error if the builder of b asked for asker, directly or through other builders.
func (b *build) cycle(asker *build) error {
	path := b.entry.key.String()
	for a := asker; a != nil; a = a.asker {
		path = a.entry.key.String() + " → " + path
		if a == b {
			return fmt.Errorf("%w: %s", ErrCycle, path)
		}
	}
	return nil
}

// buildKey is the context key of the build whose builder was given the context.
type buildKey struct{}

func withBuild(ctx context.Context, b *build) context.Context {
	return context.WithValue(ctx, buildKey{}, b)
}

func buildFrom(ctx context.Context) *build {
	b, _ := ctx.Value(buildKey{}).(*build)
	return b
}
