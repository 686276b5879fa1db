package service_test

import (
	"context"
	"testing"
	"time"

	"github.com/lazysession/session/internal/ctxkey"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/service"
)

func TestQueryFinds(t *testing.T) {
	parent := service.NewRegistry(nil)
	child := service.NewRegistry(parent)
	expect.NoError(t, service.Provide(parent, "parent"))
	expect.NoError(t, service.Provide(child, "child"))
	expect.NoError(t, service.ProvideNamed(child, "second", "second"))
	expect.NoError(t, service.Provide(parent, 42))
	expect.NoError(t, service.ProvideNamed(parent, "", 4.2))
	expect.NoError(t, service.Provide[greeter](parent, &english{"you"}))

	t.Run("a service by its type", func(t *testing.T) {
		got, err := service.Query[string](ask(parent))
		expect.NoError(t, err)
		expect.Equal(t, "service", got, "parent")
	})
	t.Run("the nearest registry's", func(t *testing.T) {
		got, err := service.Query[string](ask(child))
		expect.NoError(t, err)
		expect.Equal(t, "service", got, "child")
	})
	t.Run("a named one", func(t *testing.T) {
		got, err := service.QueryNamed[string](ask(child), "second")
		expect.NoError(t, err)
		expect.Equal(t, "service", got, "second")
	})
	t.Run("the parent's", func(t *testing.T) {
		got, err := service.Query[int](ask(child))
		expect.NoError(t, err)
		expect.Equal(t, "service", got, 42)
	})
	t.Run("one whose name is empty, as one without a name", func(t *testing.T) {
		got, err := service.Query[float64](ask(parent))
		expect.NoError(t, err)
		expect.Equal(t, "service", got, 4.2)
	})
	t.Run("an interface", func(t *testing.T) {
		got, err := service.Query[greeter](ask(parent))
		expect.NoError(t, err)
		expect.Equal(t, "greeting", got.Greet(), "hello you")
	})
}

func TestQueryFindsNothing(t *testing.T) {
	parent := service.NewRegistry(nil)
	child := service.NewRegistry(parent)
	expect.NoError(t, service.Provide(child, &alpha{}))
	expect.NoError(t, service.Provide(parent, &english{}))
	alphaFrom := func(r *service.Registry) func() error {
		return func() error { _, err := service.Query[*alpha](ask(r)); return err }
	}
	named := func() error { _, err := service.QueryNamed[*alpha](ask(child), "x"); return err }
	anInterface := func() error { _, err := service.Query[greeter](ask(parent)); return err }
	bare := func() error { _, err := service.Query[*alpha](context.Background()); return err }
	for _, tt := range []struct {
		name  string
		query func() error
		parts []string
	}{
		{"in an empty registry", alphaFrom(service.NewRegistry(nil)), []string{"*service_test.alpha"}},
		{"in a zero registry", alphaFrom(new(service.Registry)), []string{"*service_test.alpha"}},
		{"of this name", named, []string{`*service_test.alpha "x"`}},
		{"in the parent, which does not ask children", alphaFrom(parent), []string{"*service_test.alpha"}},
		{"as an interface that was not provided", anInterface, []string{"service_test.greeter"}},
		{"without a registry", bare, []string{"*service_test.alpha", "no registry in the context"}},
		{"with a nil registry", alphaFrom(nil), []string{"*service_test.alpha", "no registry in the context"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			expect.Error(t, tt.query(), service.ErrNotProvided, tt.parts...)
		})
	}
}

func TestFromContext(t *testing.T) {
	outer, inner := service.NewRegistry(nil), service.NewRegistry(nil)
	expect.Equal(t, "registry of a bare context", service.FromContext(context.Background()), nil)
	expect.Equal(t, "registry", service.FromContext(ask(outer)), outer)
	expect.Equal(t, "innermost registry", service.FromContext(service.NewContext(ask(outer), inner)), inner)
}

// An ownContext has a registry in a field and the next context outside of it, as a session.Manager's context does.
type ownContext struct {
	context.Context
	registry *service.Registry
}

func (c *ownContext) Value(key any) any {
	switch key {
	case ctxkey.Registry{}:
		return c.registry
	case c.registry:
		return c.Context
	}
	return c.Context.Value(key)
}

func TestMissGoesOnOutsideOfAManager(t *testing.T) {
	outer, own := service.NewRegistry(nil), service.NewRegistry(nil)
	expect.NoError(t, service.Provide(outer, "outer"))
	expect.NoError(t, service.Provide(outer, 42))
	expect.NoError(t, service.Provide(own, "own"))
	ctx := service.NewContext(&ownContext{ask(outer), own}, service.NewRegistry(own))
	got, err := service.Query[string](ctx)
	expect.NoError(t, err)
	expect.Equal(t, "service", got, "own")
	n, err := service.Query[int](ctx)
	expect.NoError(t, err)
	expect.Equal(t, "service of the outer registry", n, 42)
	_, err = service.Query[float64](ctx)
	expect.Error(t, err, service.ErrNotProvided, "float64")
}

func TestQueryAllocatesNothing(t *testing.T) {
	parent := service.NewRegistry(nil)
	child := service.NewRegistry(parent)
	expect.NoError(t, service.Provide(child, &alpha{}))
	expect.NoError(t, service.Provide[greeter](child, &english{}))
	expect.NoError(t, service.ProvideNamed(child, "name", &alpha{}))
	expect.NoError(t, service.Provide(parent, &gamma{}))
	expect.NoError(t, service.Provide(child, [64]byte{}))
	expect.NoError(t, service.ProvideFunc(parent, func(context.Context) (*beta, error) { return &beta{}, nil }))
	ctx := &ownContext{context.Background(), child}
	for _, tt := range []struct {
		name  string
		query func() error
	}{
		{"a pointer", func() error { _, err := service.Query[*alpha](ctx); return err }},
		{"an interface", func() error { _, err := service.Query[greeter](ctx); return err }},
		{"a large value", func() error { _, err := service.Query[[64]byte](ctx); return err }},
		{"a named service", func() error { _, err := service.QueryNamed[*alpha](ctx, "name"); return err }},
		{"the parent's service", func() error { _, err := service.Query[*gamma](ctx); return err }},
		{"a built service", func() error { _, err := service.Query[*beta](ctx); return err }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := testing.AllocsPerRun(100, func() { expect.NoError(t, tt.query()) })
			expect.Equal(t, "allocations", got, 0)
		})
	}
}

func TestQueryTakesNoLock(t *testing.T) {
	parent := service.NewRegistry(nil)
	child := service.NewRegistry(parent)
	expect.NoError(t, service.ProvideFunc(parent, buildAlpha))
	_, err := service.Query[*alpha](ask(child))
	expect.NoError(t, err)
	defer service.LockEverything(parent, child)()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, _ = service.Query[*alpha](ask(child))
	}()
	select {
	case <-answered:
	case <-time.After(10 * time.Second):
		t.Fatal("the query waits for a lock")
	}
}

func BenchmarkQuery(b *testing.B) {
	parent := service.NewRegistry(nil)
	child := service.NewRegistry(parent)
	if err := service.Provide(parent, &alpha{}); err != nil {
		b.Fatal(err)
	}
	for _, bb := range []struct {
		name     string
		registry *service.Registry
	}{{"own", parent}, {"parent", child}} {
		b.Run(bb.name, func(b *testing.B) {
			ctx := &ownContext{context.Background(), bb.registry}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := service.Query[*alpha](ctx); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
