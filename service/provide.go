package service

import (
	"context"
	"fmt"
	"reflect"
)

// Provide makes svc the answer to queries for T in r and its children.
//
// It returns an error if svc is nil, [ErrTaken] if r already has a T without a name, and [ErrClosed] if r is closed.
// After an error the caller still owns svc and has to close it. If the parent of r has a T, r hides it.
//
// Provide copies the registry's catalog, so call it before serving as a rule. It may be called while goroutines query.
func Provide[T any](r *Registry, svc T) error {
	return ProvideNamed(r, "", svc)
}

// ProvideNamed is [Provide] for one of several services of one type. Only queries for T with this name find svc. The
// empty name is no name. ProvideNamed returns [ErrTaken] if r already has a T of this name.
func ProvideNamed[T any](r *Registry, name string, svc T) error {
	k := keyOf[T](name)
	switch {
	case r == nil:
		return refuse(k, errNilRegistry)
	case isNil(svc):
		return refuse(k, errNilService)
	}
	return r.add(&entry{key: k, home: r}, svc)
}

// ProvideFunc makes the result of build the answer to queries for T in r and its children. It returns the same errors
// as [Provide], and one for a nil build.
//
// The first query calls build. Queries that arrive meanwhile wait for the result, each until its own context ends.
// After a success build is never called again. If build returns an error or a nil service, or panics, all these queries
// return an error: it wraps what build returned, or has the text and the stack of the panic. The next query calls build
// again. So does a query that waited, if the query that called build was cancelled.
//
// Build gets the context of the query that calls it, with r as the registry to ask, even if the query asked a child of
// r. This context ends with the query: neither the service nor a goroutine that outlives build may keep it.
//
// Build must ask for other services with this context, or with one made from it. The context knows which builders wait,
// so that a query for the service of one of them returns [ErrCycle] with the names of the cycle. Goroutines that enter
// a cycle at different services at the same time do not find it: their queries wait for each other until the context
// of one ends.
func ProvideFunc[T any](r *Registry, build func(context.Context) (T, error)) error {
	k := keyOf[T]("")
	switch {
	case r == nil:
		return refuse(k, errNilRegistry)
	case build == nil:
		return refuse(k, errNilBuilder)
	}
	return r.add(&entry{key: k, home: r, builder: func(ctx context.Context) (any, error) { return build(ctx) }}, nil)
}

func refuse(k key, why error) error {
	return fmt.Errorf("service: provide %v: %w", k, why)
}

// isNil is also true for a nil pointer inside an interface: callers that get the interface would take it for a service.
func isNil(svc any) bool {
	switch v := reflect.ValueOf(svc); v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return v.IsNil()
	}
	return false
}
