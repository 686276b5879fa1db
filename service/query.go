package service

import (
	"context"
	"fmt"
)

// Query returns the service of type T from the registry of ctx, or from the nearest of its ancestors that has one. It
// builds a service that was given to [ProvideFunc] and is not built yet.
//
// It returns one of these errors, with the type:
//   - [ErrNotProvided], if no registry has a T or ctx has no registry
//   - [ErrClosed], if the registry is closed
//   - the error of the service's builder
//   - [ErrCycle], if the service's builder asks for the service itself, directly or through other builders
//   - the cause of ctx's end, if ctx ends while another goroutine builds the service
//
// A service that is built is returned even if ctx has ended. All callers share the service. Its registry closes it.
func Query[T any](ctx context.Context) (T, error) {
	return QueryNamed[T](ctx, "")
}

// QueryNamed is [Query] for a service provided with [ProvideNamed]. The empty name is no name.
func QueryNamed[T any](ctx context.Context, name string) (T, error) {
	found, err := query(ctx, keyOf[T](name))
	svc, _ := found.(T) // nil if there is an error
	return svc, err
}

func query(ctx context.Context, k key) (any, error) {
	e, err := find(ctx, k)
	if err != nil {
		return nil, err
	}
	return e.get(ctx)
}

// find returns the entry under k of the registry of ctx, or of its nearest ancestor that has one. If there is none, the
// search may go on in another context: a session.Manager with a registry of its own answers to the root of that
// registry, as a context key, with the context outside of the Manager.
func find(ctx context.Context, k key) (*entry, error) {
	r := FromContext(ctx)
	if r == nil {
		return nil, fmt.Errorf("%w: %v: no registry in the context", ErrNotProvided, k)
	}
	for r != nil {
		e, root, err := r.find(k)
		if e != nil || err != nil {
			return e, err
		}
		next, ok := ctx.Value(root).(context.Context)
		if !ok {
			break
		}
		ctx, r = next, FromContext(next)
	}
	return nil, about(ErrNotProvided, k)
}
