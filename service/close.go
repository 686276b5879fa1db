package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Close closes the services of r that can be closed: first the newest, counted from when they
// were provided or their builder returned, so that a service is closed before what it was built
// from. The parent's services stay open, also one that r provides again.
//
// Services are closed by their method Shutdown or Close, without parameters or with a context
// and an error. One that has both is shut down, and closed only if that fails. A service that
// was provided under several types or names is closed once; one that was never built is not
// built for it. A builder under way is waited for.
//
// Every service is closed, one after the other, no matter what others return, whether they
// panic, or whether ctx has ended: those that take a context see that it has. Close returns all
// errors, joined, each with the service's type. If ctx ends while a builder runs, Close goes on
// without it and says so in its error; what the builder returns is closed as soon as it does.
//
// From the start of Close, queries and Provide return [ErrClosed], also to a service while it is
// being closed. A second Close waits for the first and returns its error, or the cause of ctx's
// end if that comes first; so a service must not close its own registry when it is closed.
func (r *Registry) Close(ctx context.Context) error {
	if r == nil {
		return fmt.Errorf("service: close: %w", errNilRegistry)
	}
	c, entries, first := r.beginClose()
	if !first {
		return c.wait(ctx)
	}
	defer close(c.done)
	// 1. What is being built may still use what it has asked for.
	unfinished := waitForBuilds(ctx, entries)
	// 2. From here on, what is built is closed by its builder.
	c.err = errors.Join(unfinished, closeAll(ctx, r.drain()))
	return c.err
}

// A closing is the one run of Close.
type closing struct {
	done chan struct{}
	err  error // set before done is closed
}

// beginClose refuses queries and Provide from now on.
func (r *Registry) beginClose() (c *closing, entries map[key]entry, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing != nil {
		return r.closing, nil, false
	}
	r.closing = &closing{done: make(chan struct{})}
	entries = r.load().entries
	r.catalog.Store(&catalog{closed: true})
	return r.closing, entries, true
}

func (c *closing) wait(ctx context.Context) error {
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return fmt.Errorf("service: wait for another Close: %w", context.Cause(ctx))
	}
}

func waitForBuilds(ctx context.Context, entries map[key]entry) error {
	var errs []error
	for _, b := range buildsOf(entries) {
		// A builder that ended, well or not, is all that is asked for here.
		if err := b.wait(ctx); err != nil && !b.ended() {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func buildsOf(entries map[key]entry) (running []*build) {
	waiting.Lock()
	defer waiting.Unlock()
	for _, e := range entries {
		if b := e.runningLocked(); b != nil {
			running = append(running, b)
		}
	}
	return running
}

func (b *build) ended() bool {
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}

func (r *Registry) drain() []*closer {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drained = true
	return r.held
}

func closeAll(ctx context.Context, held []*closer) error {
	var errs []error
	for _, c := range slices.Backward(held) {
		errs = append(errs, c.run(ctx))
	}
	return errors.Join(errs...)
}
