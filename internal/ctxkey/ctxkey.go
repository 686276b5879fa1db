// Package ctxkey has the context keys that more than one package of this module uses.
package ctxkey

// Registry is the context key of the *service.Registry that a query uses.
//
// It is not in package service, so that a context type of another package of this module can return the Registry from a
// field. A context.WithValue would allocate for every request.
type Registry struct{}
