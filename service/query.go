package service

import (
	"context"
	"fmt"
)

// Query returns the service of type T from the registry of ctx, or from the nearest of its
// ancestors that has one, building it if it was given to [ProvideFunc] and is not built yet.
//
// It returns [ErrNotProvided], with the type, if no registry has a T or ctx has no registry;
// [ErrClosed] if the registry is closed; the builder's error if there is one; [ErrCycle] if a
// builder asks for what waits for it; and the cause of ctx's end if ctx ends while another
// goroutine builds the service. A service that is built is returned whether or not ctx has ended.
//
// The service is shared by all who ask for it, and closed by its registry.
func Query[T any](ctx context.Context) (T, error) {
	return QueryNamed[T](ctx, "")
}

// QueryNamed is [Query] for a service provided with [ProvideNamed]. The empty name is no name.
func QueryNamed[T any](ctx context.Context, name string) (svc T, err error) {
	k := keyOf[T](name)
	e, err := find(ctx, k)
	if err != nil {
		return svc, err
	}
	return e.(*entryOf[T]).get(ctx)
}

// find returns the entry under k of the registry of ctx. Where there is none, and a context has put that registry before
// another which it does not know, as a session.Manager does, it answers to the registry as a key with the
// context.Context in which to go on.
func find(ctx context.Context, k key) (entry, error) {
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
