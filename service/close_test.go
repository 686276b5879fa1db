package service_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/service"
)

var errClose = errors.New("disk full")

// A journal lists what was closed, in order. Goroutines may share it.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) note(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) want(t *testing.T, lines ...string) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if !slices.Equal(j.lines, lines) {
		t.Errorf("closed %q, want %q", j.lines, lines)
	}
}

// The closers: one type for each way to be closed.
type (
	plain       struct{ j *journal }
	failing     struct{ j *journal }
	withContext struct{ j *journal }
	down        struct{ j *journal }
	downErr     struct{ j *journal }
	downContext struct{ j *journal }
	server      struct {
		j   *journal
		err error
	}
	panicking struct{}
	value     struct {
		name string
		j    *journal
	}
	uncomparable struct {
		j *journal
		_ []int
	}
	aliased interface{ Close() }
)

func (c *plain) Close()                                { c.j.note("plain") }
func (c *failing) Close() error                        { c.j.note("failing"); return errClose }
func (c *withContext) Close(ctx context.Context) error { c.j.note("withContext"); return ctx.Err() }
func (c *down) Shutdown()                              { c.j.note("down") }
func (c *downErr) Shutdown() error                     { c.j.note("downErr"); return errClose }
func (c *downContext) Shutdown(ctx context.Context) error {
	c.j.note("downContext")
	return ctx.Err()
}
func (c *server) Shutdown(context.Context) error { c.j.note("shutdown"); return c.err }
func (c *server) Close() error                   { c.j.note("close"); return nil }
func (c *panicking) Close()                      { panic("out of cheese") }
func (c value) Close()                           { c.j.note(c.name) }
func (c uncomparable) Close()                    { c.j.note("uncomparable") }

func TestCloseClosesNewestFirstInEveryWay(t *testing.T) {
	j := &journal{}
	r := service.NewRegistry(nil)
	expect.NoError(t, service.Provide(r, &plain{j}))
	expect.NoError(t, service.Provide(r, &withContext{j}))
	expect.NoError(t, service.Provide(r, &alpha{})) // has nothing to close
	expect.NoError(t, service.Provide(r, &down{j}))
	expect.NoError(t, service.Provide(r, &downContext{j}))
	expect.NoError(t, service.Provide(r, value{"value", j}))
	expect.NoError(t, service.Provide(r, uncomparable{j: j}))
	expect.NoError(t, service.ProvideNamed(r, "second", uncomparable{j: j}))
	expect.NoError(t, r.Close(context.Background()))
	j.want(t, "uncomparable", "uncomparable", "value", "downContext", "down", "withContext", "plain")
}

func TestCloseJoinsErrors(t *testing.T) {
	j := &journal{}
	r := service.NewRegistry(nil)
	expect.NoError(t, service.Provide(r, &plain{j}))
	expect.NoError(t, service.Provide(r, &failing{j}))
	expect.NoError(t, service.Provide(r, &panicking{}))
	expect.NoError(t, service.ProvideNamed(r, "mail", &downErr{j}))
	err := r.Close(context.Background())
	expect.Error(t, err, errClose, "*service_test.failing: disk full", `*service_test.downErr "mail": disk full`,
		"*service_test.panicking: panic: out of cheese")
	j.want(t, "downErr", "failing", "plain")
}

func TestCloseOfAServerThatHasShutdownToo(t *testing.T) {
	t.Run("is left out after a shutdown", func(t *testing.T) {
		j := &journal{}
		r := service.NewRegistry(nil)
		expect.NoError(t, service.Provide(r, &server{j, nil}))
		expect.NoError(t, r.Close(context.Background()))
		j.want(t, "shutdown")
	})
	t.Run("follows a shutdown that was cut short", func(t *testing.T) {
		j := &journal{}
		r := service.NewRegistry(nil)
		expect.NoError(t, service.Provide(r, &server{j, errClose}))
		expect.Error(t, r.Close(context.Background()), errClose)
		j.want(t, "shutdown", "close")
	})
}

func TestCloseWithAnEndedContextStillClosesAll(t *testing.T) {
	j := &journal{}
	r := service.NewRegistry(nil)
	expect.NoError(t, service.Provide(r, &plain{j}))
	expect.NoError(t, service.Provide(r, &withContext{j}))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	expect.Error(t, r.Close(ctx), context.Canceled, "*service_test.withContext")
	j.want(t, "withContext", "plain")
}

func TestCloseClosesAServiceOnce(t *testing.T) {
	j := &journal{}
	r := service.NewRegistry(nil)
	p := &plain{j}
	expect.NoError(t, service.Provide(r, p))
	expect.NoError(t, service.ProvideNamed(r, "again", p))
	expect.NoError(t, service.Provide[aliased](r, p))
	expect.NoError(t, r.Close(context.Background()))
	j.want(t, "plain")
}

func TestCloseClosesAnAliasedServiceAfterItsDependants(t *testing.T) {
	j := &journal{}
	r := service.NewRegistry(nil)
	p := &plain{j}
	expect.NoError(t, service.Provide(r, p))
	expect.NoError(t, service.Provide(r, value{"dependant", j}))
	expect.NoError(t, service.Provide[aliased](r, p))
	expect.NoError(t, r.Close(context.Background()))
	j.want(t, "dependant", "plain")
}

func TestCloseFollowsTheOrderOfBuilding(t *testing.T) {
	j := &journal{}
	r := service.NewRegistry(nil)
	expect.NoError(t, service.ProvideFunc(r, func(ctx context.Context) (value, error) {
		_, err := service.Query[*plain](ctx)
		return value{"dependant", j}, err
	}))
	expect.NoError(t, service.ProvideFunc(r, func(context.Context) (*plain, error) { return &plain{j}, nil }))
	_, err := service.Query[value](ask(r))
	expect.NoError(t, err)
	expect.NoError(t, r.Close(context.Background()))
	j.want(t, "dependant", "plain")
}

func TestCloseBuildsNothing(t *testing.T) {
	r := service.NewRegistry(nil)
	expect.NoError(t, service.ProvideFunc(r, func(context.Context) (*plain, error) {
		t.Error("built to be closed")
		return nil, errBuild
	}))
	expect.NoError(t, r.Close(context.Background()))
}

func TestCloseLeavesTheParentOpen(t *testing.T) {
	j := &journal{}
	parent := service.NewRegistry(nil)
	child := service.NewRegistry(parent)
	expect.NoError(t, service.Provide(parent, &plain{j}))
	expect.NoError(t, service.Provide(child, parent))
	expect.NoError(t, service.ProvideFunc(child, func(ctx context.Context) (aliased, error) {
		return service.Query[*plain](ctx)
	}))
	_, err := service.Query[aliased](ask(child))
	expect.NoError(t, err)
	expect.NoError(t, child.Close(context.Background()))
	j.want(t)
	_, err = service.Query[*plain](ask(parent))
	expect.NoError(t, err)
}

func TestCloseOfAParentClosesAChildItHolds(t *testing.T) {
	j := &journal{}
	parent := service.NewRegistry(nil)
	child := service.NewRegistry(parent)
	expect.NoError(t, service.Provide(child, &plain{j}))
	expect.NoError(t, service.Provide(parent, child))
	expect.NoError(t, parent.Close(context.Background()))
	j.want(t, "plain")
}

func TestCloseOfARegistryThatHoldsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := service.NewRegistry(nil)
		expect.NoError(t, service.Provide(r, r))
		expect.NoError(t, r.Close(context.Background()))
	})
}

func TestCloseTwice(t *testing.T) {
	j := &journal{}
	r := service.NewRegistry(nil)
	expect.NoError(t, service.Provide(r, &failing{j}))
	expect.Error(t, r.Close(context.Background()), errClose)
	expect.Error(t, r.Close(context.Background()), errClose)
	j.want(t, "failing")
}

func TestCloseWaitsForAnotherClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := service.NewRegistry(nil)
		release := make(chan struct{})
		expect.NoError(t, service.Provide(r, &slow{release}))
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- r.Close(context.Background()) }()
		synctest.Wait()
		go func() { second <- r.Close(context.Background()) }()
		synctest.Wait()
		select {
		case err := <-second:
			t.Errorf("the second Close returned %v before the first", err)
		default:
		}
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		expect.Error(t, r.Close(ended), context.Canceled)
		close(release)
		expect.NoError(t, <-first)
	})
}

type slow struct{ release chan struct{} }

func (s *slow) Close() { <-s.release }

func TestNothingIsServedAfterClose(t *testing.T) {
	parent := service.NewRegistry(nil)
	child := service.NewRegistry(parent)
	expect.NoError(t, service.Provide(parent, &alpha{}))
	expect.NoError(t, service.Provide(child, &beta{}))
	expect.NoError(t, parent.Close(context.Background()))
	_, err := service.Query[*alpha](ask(parent))
	expect.Error(t, err, service.ErrClosed, "*service_test.alpha")
	_, err = service.Query[*alpha](ask(child))
	expect.Error(t, err, service.ErrClosed, "*service_test.alpha")
	_, err = service.Query[*beta](ask(child))
	expect.NoError(t, err)
	expect.Error(t, service.Provide(parent, &gamma{}), service.ErrClosed, "*service_test.gamma")
	expect.Error(t, service.ProvideFunc(parent, buildGamma), service.ErrClosed, "*service_test.gamma")
}

func TestCloseOfANilRegistry(t *testing.T) {
	expect.Text(t, (*service.Registry)(nil).Close(context.Background()), "nil registry")
}

// A curious service queries its registry while it is being closed.
type curious struct {
	ctx context.Context
	err error
}

func (c *curious) Close() { _, c.err = service.Query[*alpha](c.ctx) }

func TestNothingIsServedToAServiceBeingClosed(t *testing.T) {
	r := service.NewRegistry(nil)
	c := &curious{ctx: ask(r)}
	expect.NoError(t, service.Provide(r, &alpha{}))
	expect.NoError(t, service.Provide(r, c))
	expect.NoError(t, r.Close(context.Background()))
	expect.Error(t, c.err, service.ErrClosed, "*service_test.alpha")
}

// provideSlowly provides a builder of a *plain and starts it. The builder returns when release is closed.
func provideSlowly(t *testing.T, r *service.Registry, j *journal, release chan struct{}) (result chan error) {
	t.Helper()
	expect.NoError(t, service.ProvideFunc(r, func(context.Context) (*plain, error) { <-release; return &plain{j}, nil }))
	result = make(chan error, 1)
	go func() { _, err := service.Query[*plain](ask(r)); result <- err }()
	synctest.Wait()
	return result
}

func TestCloseWaitsForABuild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, release := &journal{}, make(chan struct{})
		r := service.NewRegistry(nil)
		expect.NoError(t, service.Provide(r, value{"older", j}))
		built := provideSlowly(t, r, j, release)
		closed := make(chan error, 1)
		go func() { closed <- r.Close(context.Background()) }()
		synctest.Wait()
		j.want(t)
		close(release)
		expect.NoError(t, <-built)
		expect.NoError(t, <-closed)
		j.want(t, "plain", "older")
	})
}

func TestCloseGoesOnWithoutALateBuild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, release := &journal{}, make(chan struct{})
		r := service.NewRegistry(nil)
		expect.NoError(t, service.Provide(r, value{"older", j}))
		built := provideSlowly(t, r, j, release)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		expect.Error(t, r.Close(ctx), context.Canceled, "*service_test.plain")
		j.want(t, "older")
		close(release)
		expect.Error(t, <-built, service.ErrClosed, "*service_test.plain")
		j.want(t, "older", "plain")
	})
}

func TestCloseDoesNotReportABuildThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := service.NewRegistry(nil)
		release, built := make(chan struct{}), make(chan error, 1)
		expect.NoError(t, service.ProvideFunc(r, func(context.Context) (*plain, error) { <-release; return nil, errBuild }))
		go func() { _, err := service.Query[*plain](ask(r)); built <- err }()
		synctest.Wait()
		closed := make(chan error, 1)
		go func() { closed <- r.Close(context.Background()) }()
		synctest.Wait()
		close(release)
		expect.Error(t, <-built, errBuild)
		expect.NoError(t, <-closed)
	})
}

func TestLateBuildOfAServiceThatIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, release, built := &journal{}, make(chan struct{}), make(chan error, 1)
		r := service.NewRegistry(nil)
		p := &plain{j}
		expect.NoError(t, service.Provide(r, p))
		expect.NoError(t, service.ProvideFunc(r, func(context.Context) (aliased, error) { <-release; return p, nil }))
		go func() { _, err := service.Query[aliased](ask(r)); built <- err }()
		synctest.Wait()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		expect.Error(t, r.Close(ctx), context.Canceled)
		close(release)
		expect.Error(t, <-built, service.ErrClosed)
		j.want(t, "plain")
	})
}

func TestCloseInABuilderDoesNotWaitForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		r := service.NewRegistry(nil)
		expect.NoError(t, service.ProvideFunc(r, func(ctx context.Context) (*plain, error) {
			expect.Error(t, r.Close(ctx), service.ErrCycle)
			return &plain{j}, nil
		}))
		_, err := service.Query[*plain](ask(r))
		expect.Error(t, err, service.ErrClosed)
		j.want(t, "plain")
	})
}

func TestCloseWhileQueryingClosesEachOnce(t *testing.T) {
	j := &journal{}
	r := service.NewRegistry(nil)
	built := make(chan struct{}, 1)
	expect.NoError(t, service.ProvideFunc(r, func(context.Context) (*plain, error) {
		built <- struct{}{}
		return &plain{j}, nil
	}))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := service.Query[*plain](ask(r)); err != nil && !errors.Is(err, service.ErrClosed) {
				t.Errorf("query: %v", err)
			}
		})
		wg.Go(func() {
			if err := r.Close(context.Background()); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	wg.Wait()
	j.want(t, slices.Repeat([]string{"plain"}, len(built))...)
}
