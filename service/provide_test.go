package service_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/service"
)

func buildAlpha(context.Context) (*alpha, error) { return &alpha{}, nil }

func TestProvideRefuses(t *testing.T) {
	var none *english
	r := service.NewRegistry(nil)
	for _, tt := range []struct {
		name  string
		err   error
		parts []string
	}{
		{"a nil pointer", service.Provide(r, none), []string{"*service_test.english", "nil service"}},
		{"a nil interface", service.Provide[greeter](r, nil), []string{"service_test.greeter", "nil service"}},
		{"a nil pointer in an interface", service.Provide[greeter](r, none), []string{"greeter", "nil service"}},
		{"a nil service with a name", service.ProvideNamed(r, "it", none), []string{`english "it"`, "nil service"}},
		{"a nil builder", service.ProvideFunc[greeter](r, nil), []string{"service_test.greeter", "nil builder"}},
		{"a service for a nil registry", service.Provide(nil, &alpha{}), []string{"alpha", "nil registry"}},
		{"a builder for a nil registry", service.ProvideFunc(nil, buildAlpha), []string{"alpha", "nil registry"}},
	} {
		t.Run(tt.name, func(t *testing.T) { expect.Text(t, tt.err, tt.parts...) })
	}
}

func TestProvideTaken(t *testing.T) {
	provide := func(r *service.Registry) error { return service.Provide(r, &alpha{}) }
	provideNamed := func(r *service.Registry) error { return service.ProvideNamed(r, "x", &alpha{}) }
	provideFunc := func(r *service.Registry) error { return service.ProvideFunc(r, buildAlpha) }
	for _, tt := range []struct {
		name          string
		first, second func(*service.Registry) error
		taken         string
	}{
		{"a second service", provide, provide, "*service_test.alpha"},
		{"a builder after a service", provide, provideFunc, "*service_test.alpha"},
		{"a service after a builder", provideFunc, provide, "*service_test.alpha"},
		{"a second service of one name", provideNamed, provideNamed, `*service_test.alpha "x"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := service.NewRegistry(nil)
			expect.NoError(t, tt.first(r))
			expect.Error(t, tt.second(r), service.ErrTaken, tt.taken)
		})
	}
}

func TestProvideTakenKeepsTheFirst(t *testing.T) {
	r := service.NewRegistry(nil)
	first := &alpha{1}
	expect.NoError(t, service.Provide(r, first))
	_ = service.Provide(r, &alpha{2})
	got, err := service.Query[*alpha](ask(r))
	expect.NoError(t, err)
	expect.Equal(t, "service", got, first)
}

func TestProvideWhileQuerying(t *testing.T) {
	r := service.NewRegistry(nil)
	expect.NoError(t, service.Provide(r, &alpha{}))
	var wg sync.WaitGroup
	for i := range 50 {
		name := fmt.Sprint(i)
		wg.Go(func() {
			if err := service.ProvideNamed(r, name, &alpha{i}); err != nil {
				t.Errorf("provide %q: %v", name, err)
			}
			if got, err := service.QueryNamed[*alpha](ask(r), name); err != nil || got.n != i {
				t.Errorf("query %q = %v, %v", name, got, err)
			}
		})
	}
	wg.Wait()
}
