package service_test

import (
	"context"

	"github.com/lazysession/session/service"
)

// The services of the tests. The tests look for these names in errors.
type (
	alpha   struct{ n int }
	beta    struct{ a *alpha }
	gamma   struct{ b *beta }
	greeter interface{ Greet() string }
	english struct{ name string }
)

func (e *english) Greet() string { return "hello " + e.name }

func ask(r *service.Registry) context.Context {
	return service.NewContext(context.Background(), r)
}
