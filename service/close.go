package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Close closes the services of r that can be closed, the newest first. The age of a service counts from its [Provide],
// or from the return of its builder, so that Close closes a service before the services it was built from. The services
// of r's parent stay open, even if they were provided to r too.
//
// A service can be closed if it has a method Shutdown or Close that takes no parameter and returns nothing or an error,
// or takes a context and returns an error. If it has both methods, Close calls Shutdown, and the other only if Shutdown
// returned an error. A service that was provided under several types or names is closed once. A service that was never
// built is not built to be closed.
//
// Close waits for the builders that run. If ctx ends first, Close goes on, and its error names the service; the service
// is closed as soon as its builder returns it. A builder must not close r: with the context that the builder was given,
// Close does not wait for it and returns [ErrCycle].
//
// Close closes every service, one after the other, even if another one returned an error or panicked, or if ctx has
// ended. It returns all errors, joined, each with the service's type.
//
// From the start of Close, queries and Provide return [ErrClosed], also to a service that is being closed. A second
// Close waits for the first and returns its error, or the cause of ctx's end if that comes first. So a service must not
// close its own registry while it is being closed.
func (r *Registry) Close(ctx context.Context) error {
	if r == nil {
		return fmt.Errorf("service: close: %w", errNilRegistry)
	}
	c, builds, first := r.beginClose()
	if !first {
		return c.wait(ctx)
	}
	defer close(c.done)
	// 1. A builder that runs may use the services that it has asked for.
	unfinished := waitForAll(ctx, builds)
	// 2. From here on, a build closes its service itself.
	c.err = errors.Join(unfinished, closeAll(ctx, r.drain()))
	return c.err
}

// A closing is the one run of Close.
type closing struct {
	done chan struct{}
	err  error // set before done is closed
}

func (c *closing) wait(ctx context.Context) error {
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return fmt.Errorf("service: wait for another Close: %w", context.Cause(ctx))
	}
}

// beginClose refuses queries and Provide from now on. It returns the builds under way.
func (r *Registry) beginClose() (c *closing, builds []*build, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing != nil {
		return r.closing, nil, false
	}
	for _, e := range r.load().entries {
		if e.current != nil {
			builds = append(builds, e.current)
		}
	}
	r.closing = &closing{done: make(chan struct{})}
	r.catalog.Store(&catalog{closed: true})
	return r.closing, builds, true
}

func waitForAll(ctx context.Context, builds []*build) error {
	var errs []error
	for _, b := range builds {
		errs = append(errs, b.wait(ctx))
	}
	return errors.Join(errs...)
}

func (r *Registry) drain() []*entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drained = true
	return r.held
}

func closeAll(ctx context.Context, held []*entry) error {
	var errs []error
	for _, e := range slices.Backward(held) {
		errs = append(errs, e.close(ctx, e.built.Load()))
	}
	return errors.Join(errs...)
}
