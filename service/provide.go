package service

import (
	"context"
	"fmt"
	"reflect"
)

// Provide makes svc the answer to queries for T in r and its children.
//
// It is an error if svc is nil, [ErrTaken] if r already has a T without a name, and [ErrClosed]
// if r is closed; after an error svc is the caller's to close. A T of r's parent is no obstacle:
// r then hides it.
//
// Services are provided before serving as a rule, since each call copies the registry's catalog,
// but goroutines may provide and query at any time.
func Provide[T any](r *Registry, svc T) error {
	return ProvideNamed(r, "", svc)
}

// ProvideNamed is [Provide] for one of several services of one type: svc is the answer to
// queries for T with this name, and to no others. The empty name is no name. It returns
// [ErrTaken] if r already has a T of this name.
func ProvideNamed[T any](r *Registry, name string, svc T) error {
	k := keyOf[T](name)
	switch {
	case r == nil:
		return refuse(k, errNilRegistry)
	case isNil(svc):
		return refuse(k, errNilService)
	}
	e := &entryOf[T]{key: k, home: r}
	e.built.Store(&svc)
	return r.add(k, e, newCloser(k, svc))
}

// ProvideFunc makes what build returns the answer to queries for T in r and its children.
// It returns the same errors as [Provide], and one for a nil build.
//
// Build runs at the first query and, if it succeeds, never again: queries that arrive meanwhile
// wait for it, each no longer than its own context allows. If build returns an error or a nil
// service, or panics, the queries get an error: one that wraps what build returned, or has the text
// and the stack of the panic. The next query runs build again.
// Queries that waited for a build whose own query was cancelled are not failed by that: one of
// them builds anew.
//
// Build's context is that of the query it runs for, asking r even if the query asked a child
// of r. It is cancelled with that query, so neither the service nor a goroutine that outlives
// build may keep it. Build must ask for other services with it, or with a context made from it,
// since that is how cycles are found: a query with an unrelated context for a service that waits
// for this one waits as long as that context lives.
func ProvideFunc[T any](r *Registry, build func(context.Context) (T, error)) error {
	k := keyOf[T]("")
	switch {
	case r == nil:
		return refuse(k, errNilRegistry)
	case build == nil:
		return refuse(k, errNilBuilder)
	}
	return r.add(k, &entryOf[T]{key: k, home: r, builder: build}, nil)
}

func refuse(k key, why error) error {
	return fmt.Errorf("service: provide %v: %w", k, why)
}

// isNil also finds a nil pointer inside an interface: whoever asks for the interface could
// not tell it from a service.
func isNil(svc any) bool {
	switch v := reflect.ValueOf(svc); v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return v.IsNil()
	}
	return false
}
