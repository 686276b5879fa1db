package service_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/lazysession/session/internal/ctxkey"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/service"
)

var errBuild = errors.New("no such host")

func TestBuildRunsAtTheFirstQuery(t *testing.T) {
	r := service.NewRegistry(nil)
	runs := 0
	expect.NoError(t, service.ProvideFunc(r, func(context.Context) (*alpha, error) { runs++; return &alpha{}, nil }))
	expect.Equal(t, "runs before the first query", runs, 0)
	for range 3 {
		_, err := service.Query[*alpha](ask(r))
		expect.NoError(t, err)
	}
	expect.Equal(t, "runs after three queries", runs, 1)
}

func TestBuildRunsOnceForConcurrentQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := service.NewRegistry(nil)
		runs, release := 0, make(chan struct{})
		expect.NoError(t, service.ProvideFunc(r, func(context.Context) (*alpha, error) {
			runs++
			<-release
			return &alpha{}, nil
		}))
		var wg sync.WaitGroup
		got := make([]*alpha, 20)
		for i := range got {
			wg.Go(func() { got[i], _ = service.Query[*alpha](ask(r)) })
		}
		synctest.Wait()
		close(release)
		wg.Wait()
		expect.Equal(t, "runs", runs, 1)
		for _, a := range got {
			if a == nil || a != got[0] {
				t.Fatalf("queries got %p and %p, want one service", a, got[0])
			}
		}
	})
}

func TestBuildFails(t *testing.T) {
	for _, tt := range []struct {
		name  string
		build func() (greeter, error)
		parts []string
	}{
		{"with an error", func() (greeter, error) { return nil, errBuild }, []string{"no such host"}},
		{"with a panic", func() (greeter, error) { panic("cheese") }, []string{"panic: cheese", "build_test.go"}},
		{"with a nil service", func() (greeter, error) { return nil, nil }, []string{"nil service"}},
		{"with a nil pointer", func() (greeter, error) { return (*english)(nil), nil }, []string{"nil service"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := service.NewRegistry(nil)
			fail := true
			expect.NoError(t, service.ProvideFunc(r, func(context.Context) (greeter, error) {
				if fail {
					return tt.build()
				}
				return &english{}, nil
			}))
			_, err := service.Query[greeter](ask(r))
			expect.Text(t, err, append(tt.parts, "service_test.greeter")...)
			fail = false
			_, err = service.Query[greeter](ask(r))
			expect.NoError(t, err)
		})
	}
}

func TestBuildErrorIsWrapped(t *testing.T) {
	r := service.NewRegistry(nil)
	expect.NoError(t, service.ProvideFunc(r, func(context.Context) (*alpha, error) { return nil, errBuild }))
	_, err := service.Query[*alpha](ask(r))
	expect.Error(t, err, errBuild)
}

func TestBuildThatEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := service.NewRegistry(nil)
		release := make(chan struct{})
		expect.NoError(t, service.ProvideFunc(r, func(context.Context) (*alpha, error) {
			<-release
			runtime.Goexit()
			return nil, nil
		}))
		go func() { _, _ = service.Query[*alpha](ask(r)) }()
		synctest.Wait()
		result := make(chan error, 1)
		go func() { _, err := service.Query[*alpha](ask(r)); result <- err }()
		synctest.Wait()
		close(release)
		expect.Text(t, <-result, "*service_test.alpha", "ended its goroutine")
	})
}

func TestWaitersShareAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := service.NewRegistry(nil)
		runs, release := 0, make(chan struct{})
		expect.NoError(t, service.ProvideFunc(r, func(context.Context) (*alpha, error) {
			runs++
			<-release
			return nil, errBuild
		}))
		errs := make(chan error, 10)
		for range cap(errs) {
			go func() { _, err := service.Query[*alpha](ask(r)); errs <- err }()
		}
		synctest.Wait()
		close(release)
		for range cap(errs) {
			expect.Error(t, <-errs, errBuild)
		}
		expect.Equal(t, "runs", runs, 1)
	})
}

func TestWaiterBuildsAnewAfterACancelledQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := service.NewRegistry(nil)
		runs := 0
		expect.NoError(t, service.ProvideFunc(r, func(ctx context.Context) (*alpha, error) {
			if runs++; runs > 1 {
				return &alpha{}, nil
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}))
		ctx, cancel := context.WithCancel(ask(r))
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { _, err := service.Query[*alpha](ctx); first <- err }()
		synctest.Wait()
		go func() { _, err := service.Query[*alpha](ask(r)); second <- err }()
		synctest.Wait()
		cancel()
		expect.Error(t, <-first, context.Canceled)
		expect.NoError(t, <-second)
	})
}

func TestWaiterLeavesWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := service.NewRegistry(nil)
		release := make(chan struct{})
		expect.NoError(t, service.ProvideFunc(r, func(context.Context) (*alpha, error) { <-release; return &alpha{}, nil }))
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { _, err := service.Query[*alpha](ask(r)); first <- err }()
		synctest.Wait()
		ctx, cancel := context.WithCancelCause(ask(r))
		go func() { _, err := service.Query[*alpha](ctx); second <- err }()
		synctest.Wait()
		cancel(errBuild)
		expect.Error(t, <-second, errBuild, "*service_test.alpha")
		close(release)
		expect.NoError(t, <-first)
	})
}

func TestBuiltServiceIsReturnedWithAnEndedContext(t *testing.T) {
	r := service.NewRegistry(nil)
	expect.NoError(t, service.ProvideFunc(r, buildAlpha))
	_, err := service.Query[*alpha](ask(r))
	expect.NoError(t, err)
	ctx, cancel := context.WithCancel(ask(r))
	cancel()
	_, err = service.Query[*alpha](ctx)
	expect.NoError(t, err)
}

func TestBuilderAsksItsOwnRegistry(t *testing.T) {
	parent := service.NewRegistry(nil)
	child := service.NewRegistry(parent)
	expect.NoError(t, service.Provide(parent, "parent"))
	expect.NoError(t, service.Provide(child, "child"))
	expect.NoError(t, service.ProvideFunc(parent, func(ctx context.Context) (*english, error) {
		name, err := service.Query[string](ctx)
		return &english{name}, err
	}))
	got, err := service.Query[*english](ask(child))
	expect.NoError(t, err)
	expect.Equal(t, "what the parent's builder found", got.name, "parent")
}

func TestBuilderMayAskFromSeveralGoroutines(t *testing.T) {
	r := service.NewRegistry(nil)
	provideChain(t, r)
	expect.NoError(t, service.ProvideFunc(r, func(ctx context.Context) (string, error) {
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() {
				if i%2 == 0 {
					_, errs[i] = service.Query[*beta](ctx)
				} else {
					_, errs[i] = service.Query[*gamma](ctx)
				}
			})
		}
		wg.Wait()
		return "built", errors.Join(errs...)
	}))
	_, err := service.Query[string](ask(r))
	expect.NoError(t, err)
}

// provideChain provides a gamma built from a beta built from an alpha.
func provideChain(t *testing.T, r *service.Registry) {
	t.Helper()
	expect.NoError(t, service.ProvideFunc(r, buildAlpha))
	expect.NoError(t, service.ProvideFunc(r, buildBeta))
	expect.NoError(t, service.ProvideFunc(r, buildGamma))
}

func buildBeta(ctx context.Context) (*beta, error) {
	a, err := service.Query[*alpha](ctx)
	return &beta{a}, err
}

func buildGamma(ctx context.Context) (*gamma, error) {
	b, err := service.Query[*beta](ctx)
	return &gamma{b}, err
}

// A lookBack is a context that calls once when a query asks it for the builder that made the query. At that moment the
// query has seen that the service is not built, and has not begun to build it.
type lookBack struct {
	context.Context
	registry *service.Registry
	once     func()
}

func (c *lookBack) Value(key any) any {
	if _, ok := key.(ctxkey.Registry); ok {
		return c.registry
	}
	if once := c.once; once != nil {
		c.once = nil
		once()
	}
	return c.Context.Value(key)
}

func TestServiceBuiltBetweenLookingAndBuilding(t *testing.T) {
	r := service.NewRegistry(nil)
	runs := 0
	expect.NoError(t, service.ProvideFunc(r, func(context.Context) (*alpha, error) { runs++; return &alpha{}, nil }))
	_, err := service.Query[*alpha](&lookBack{context.Background(), r, func() {
		_, err := service.Query[*alpha](ask(r))
		expect.NoError(t, err)
	}})
	expect.NoError(t, err)
	expect.Equal(t, "runs", runs, 1)
}

func TestRegistryClosedBetweenLookingAndBuilding(t *testing.T) {
	r := service.NewRegistry(nil)
	runs := 0
	expect.NoError(t, service.ProvideFunc(r, func(context.Context) (*alpha, error) { runs++; return &alpha{}, nil }))
	_, err := service.Query[*alpha](&lookBack{context.Background(), r, func() {
		expect.NoError(t, r.Close(context.Background()))
	}})
	expect.Error(t, err, service.ErrClosed, "*service_test.alpha")
	expect.Equal(t, "runs", runs, 0)
}

func TestCycleIsNamed(t *testing.T) {
	const cycle = "*service_test.alpha → *service_test.beta → *service_test.alpha"
	inBubble(t, "of two builders", func(t *testing.T) {
		r := service.NewRegistry(nil)
		expect.NoError(t, service.ProvideFunc(r, alphaFromBeta))
		expect.NoError(t, service.ProvideFunc(r, buildBeta))
		_, err := service.Query[*alpha](ask(r))
		expect.Error(t, err, service.ErrCycle, cycle)
	})
	inBubble(t, "in the order of asking", func(t *testing.T) {
		r := service.NewRegistry(nil)
		expect.NoError(t, service.ProvideFunc(r, func(ctx context.Context) (*alpha, error) {
			_, err := service.Query[*gamma](ctx)
			return &alpha{}, err
		}))
		expect.NoError(t, service.ProvideFunc(r, buildBeta))
		expect.NoError(t, service.ProvideFunc(r, buildGamma))
		_, err := service.Query[*alpha](ask(r))
		expect.Error(t, err, service.ErrCycle,
			"*service_test.alpha → *service_test.gamma → *service_test.beta → *service_test.alpha")
	})
	inBubble(t, "without what led to it", func(t *testing.T) {
		r := service.NewRegistry(nil)
		expect.NoError(t, service.ProvideFunc(r, alphaFromBeta))
		expect.NoError(t, service.ProvideFunc(r, buildBeta))
		expect.NoError(t, service.ProvideFunc(r, func(ctx context.Context) (*gamma, error) {
			_, err := service.Query[*alpha](ctx)
			return nil, err
		}))
		_, err := service.Query[*gamma](ask(r))
		expect.Error(t, err, service.ErrCycle, ": "+cycle)
	})
	inBubble(t, "of a builder with itself", func(t *testing.T) {
		r := service.NewRegistry(nil)
		expect.NoError(t, service.ProvideFunc(r, service.Query[*alpha]))
		_, err := service.Query[*alpha](ask(r))
		expect.Error(t, err, service.ErrCycle, "*service_test.alpha → *service_test.alpha")
	})
	inBubble(t, "in a goroutine of a builder", func(t *testing.T) {
		r := service.NewRegistry(nil)
		expect.NoError(t, service.ProvideFunc(r, func(ctx context.Context) (*alpha, error) {
			asked := make(chan error)
			go func() { _, err := service.Query[*beta](ctx); asked <- err }()
			return &alpha{}, <-asked
		}))
		expect.NoError(t, service.ProvideFunc(r, buildBeta))
		_, err := service.Query[*alpha](ask(r))
		expect.Error(t, err, service.ErrCycle, cycle)
	})
	inBubble(t, "through two registries", func(t *testing.T) {
		one, two := service.NewRegistry(nil), service.NewRegistry(nil)
		expect.NoError(t, service.ProvideFunc(one, func(ctx context.Context) (*alpha, error) {
			return alphaFromBeta(service.NewContext(ctx, two))
		}))
		expect.NoError(t, service.ProvideFunc(two, func(ctx context.Context) (*beta, error) {
			return buildBeta(service.NewContext(ctx, one))
		}))
		_, err := service.Query[*alpha](ask(one))
		expect.Error(t, err, service.ErrCycle, cycle)
	})
}

// inBubble runs a subtest in which a deadlock is reported at once.
func inBubble(t *testing.T, name string, test func(*testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

func alphaFromBeta(ctx context.Context) (*alpha, error) {
	_, err := service.Query[*beta](ctx)
	return &alpha{}, err
}

// Neither goroutine's context knows the other's builder, so both wait. When one gives up, the other finds the cycle.
func TestCycleEnteredFromBothEndsWaitsForAContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := service.NewRegistry(nil)
		both := make(chan struct{})
		expect.NoError(t, service.ProvideFunc(r, func(ctx context.Context) (*alpha, error) {
			<-both
			return alphaFromBeta(ctx)
		}))
		expect.NoError(t, service.ProvideFunc(r, func(ctx context.Context) (*beta, error) {
			<-both
			return buildBeta(ctx)
		}))
		ctx, cancel := context.WithCancel(ask(r))
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { _, err := service.Query[*alpha](ctx); first <- err }()
		go func() { _, err := service.Query[*beta](ask(r)); second <- err }()
		synctest.Wait()
		close(both)
		synctest.Wait()
		select {
		case err := <-first:
			t.Errorf("the first query returned %v before its context ended", err)
		case err := <-second:
			t.Errorf("the second query returned %v before the first gave up", err)
		default:
		}
		cancel()
		expect.Error(t, <-first, context.Canceled, "*service_test.alpha", "*service_test.beta")
		expect.Error(t, <-second, service.ErrCycle,
			"*service_test.beta → *service_test.alpha → *service_test.beta")
	})
}

func TestServiceBuiltAfterACycleIsMended(t *testing.T) {
	r := service.NewRegistry(nil)
	cyclic := true
	expect.NoError(t, service.ProvideFunc(r, func(ctx context.Context) (*alpha, error) {
		if cyclic {
			return alphaFromBeta(ctx)
		}
		return &alpha{}, nil
	}))
	expect.NoError(t, service.ProvideFunc(r, buildBeta))
	_, err := service.Query[*beta](ask(r))
	expect.Error(t, err, service.ErrCycle)
	cyclic = false
	_, err = service.Query[*beta](ask(r))
	expect.NoError(t, err)
}

func TestDecoratingTheParentsServiceIsNoCycle(t *testing.T) {
	parent := service.NewRegistry(nil)
	child := service.NewRegistry(parent)
	expect.NoError(t, service.ProvideFunc(parent, buildAlpha))
	expect.NoError(t, service.ProvideFunc(child, func(ctx context.Context) (*alpha, error) {
		a, err := service.Query[*alpha](service.NewContext(ctx, parent))
		return &alpha{a.n + 1}, err
	}))
	got, err := service.Query[*alpha](ask(child))
	expect.NoError(t, err)
	expect.Equal(t, "decorated value", got.n, 1)
}
