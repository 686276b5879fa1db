package service

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// waiting locks who builds what, and who waits for whom, in all registries. One lock serves them
// all, because builders may ask several registries and a cycle may lead through them. It is held
// for a few steps at the start and the end of a build, never while a builder runs.
var waiting sync.Mutex

// A build is one run of a builder.
type build struct {
	key  key
	done chan struct{} // closed at the end, when err and givenUp are set

	err     error // why it failed
	givenUp bool  // it failed after the query it ran for was cancelled

	// The remaining fields are locked by waiting.
	over bool
	// waitsFor has what its builder's queries wait for: several builds, where it asks from
	// several goroutines. Those that are over don't count, and need not be removed.
	waitsFor []*build
}

func startLocked(k key, asker *build) *build {
	b := &build{key: k, done: make(chan struct{})}
	b.fail(errExited) // unless it returns
	asker.addLocked(b)
	return b
}

func (b *build) endLocked(cancelled bool) {
	b.givenUp = b.err != nil && cancelled
	b.over = true
	close(b.done)
}

// wait waits for the end of a build that another goroutine runs. It returns the build's error,
// except if the build was given up: the error is then about another query's context.
func (b *build) wait(ctx context.Context) error {
	asker := buildFrom(ctx)
	if err := b.enter(asker); err != nil {
		return err
	}
	defer b.leave(asker)
	select {
	case <-b.done:
		if b.givenUp {
			return nil
		}
		return b.err
	case <-ctx.Done():
		return fmt.Errorf("service: wait for the build of %v: %w", b.key, context.Cause(ctx))
	}
}

// enter lets asker wait for b, unless b waits for asker. Every wait is checked when it begins,
// so the wait that would close a cycle is found no matter where its goroutines started.
func (b *build) enter(asker *build) error {
	waiting.Lock()
	defer waiting.Unlock()
	if path := b.pathLocked(asker); path != nil {
		return fmt.Errorf("%w: %s", ErrCycle, strings.Join(append(path, b.key.String()), " → "))
	}
	asker.addLocked(b)
	return nil
}

// leave ends a wait, which b may outlast.
func (b *build) leave(asker *build) {
	if asker == nil {
		return
	}
	waiting.Lock()
	defer waiting.Unlock()
	i := slices.Index(asker.waitsFor, b)
	asker.waitsFor = slices.Delete(asker.waitsFor, i, i+1)
}

// pathLocked names the builds through which b waits for asker; nil if it does not. A build that
// is over waits for nothing: what goroutines it left behind wait for holds nobody up.
func (b *build) pathLocked(asker *build) []string {
	if b.over {
		return nil
	}
	if b == asker {
		return []string{b.key.String()}
	}
	for _, next := range b.waitsFor {
		if path := next.pathLocked(asker); path != nil {
			return append([]string{b.key.String()}, path...)
		}
	}
	return nil
}

// addLocked does nothing for a nil b: nobody waits for a query made outside of builders, so it
// cannot be part of a cycle.
func (b *build) addLocked(on *build) {
	if b != nil {
		b.waitsFor = append(b.waitsFor, on)
	}
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
