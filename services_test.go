package session_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/service"
	"github.com/lazysession/session/store/mem"
)

// A mailer is a service of the application.
type mailer struct{ name string }

// within serves one request whose context has what outer adds to it, through each Manager from the outermost on.
func within(outer func(context.Context) context.Context, do func(ctx context.Context), managers ...*session.Manager) {
	var h http.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { do(r.Context()) })
	for i := range managers {
		h = managers[len(managers)-1-i].Handler(h)
	}
	r := httptest.NewRequest("GET", "/", nil)
	h.ServeHTTP(httptest.NewRecorder(), r.WithContext(outer(r.Context())))
}

func registryWith(t *testing.T, parent *service.Registry, name string) *service.Registry {
	t.Helper()
	r := service.NewRegistry(parent)
	expect.OK(t, service.Provide(r, &mailer{name}))
	return r
}

func wantServices(t *testing.T, ctx context.Context, m *session.Manager, mail string) {
	t.Helper()
	manager, err := service.Query[*session.Manager](ctx)
	expect.OK(t, err)
	expect.Equal(t, "Manager", manager, m)
	got, err := service.Query[*mailer](ctx)
	if mail == "" {
		expect.Is(t, "Query", err, service.ErrNotProvided)
		return
	}
	expect.OK(t, err)
	if got != nil {
		expect.Equal(t, "mailer", got.name, mail)
	}
}

func TestRegistryOfTheContextIsFound(t *testing.T) {
	m, other := fixture.NewManagerOn(t, mem.New(nil), nil), fixture.NewManagerOn(t, mem.New(nil), nil)
	given := fixture.NewManagerOn(t, mem.New(nil), &session.Config{Services: registryWith(t, nil, "given")})
	empty := fixture.NewManagerOn(t, mem.New(nil), &session.Config{Services: service.NewRegistry(nil)})
	outer := func(ctx context.Context) context.Context {
		return service.NewContext(ctx, registryWith(t, registryWith(t, nil, "parent"), "outer"))
	}
	within(outer, func(ctx context.Context) { wantServices(t, ctx, m, "outer") }, m)
	within(outer, func(ctx context.Context) { wantServices(t, ctx, m, "outer") }, other, m)
	within(outer, func(ctx context.Context) { wantServices(t, ctx, m, "outer") }, m, other, m)
	within(outer, func(ctx context.Context) { wantServices(t, ctx, m, "given") }, given, m)
	within(outer, func(ctx context.Context) { wantServices(t, ctx, given, "given") }, m, given)
	within(outer, func(ctx context.Context) { wantServices(t, ctx, empty, "") }, empty)
	none := func(ctx context.Context) context.Context { return ctx }
	within(none, func(ctx context.Context) { wantServices(t, ctx, m, "") }, m)

	// One put into the context inside the Manager hides both, unless it has the Manager's as its parent.
	within(outer, func(ctx context.Context) {
		child := service.NewContext(ctx, service.NewRegistry(service.FromContext(ctx)))
		wantServices(t, child, m, "outer")
		_, err := service.Query[*mailer](service.NewContext(ctx, service.NewRegistry(nil)))
		expect.Is(t, "Query in a registry without a parent", err, service.ErrNotProvided)
	}, m)
}
