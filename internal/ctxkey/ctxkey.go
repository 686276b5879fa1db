// Package ctxkey holds the context keys that more than one package of this module answers to.
package ctxkey

// Registry is the context key of the *service.Registry that a query asks.
//
// It is no secret of package service, so that a context type of another package of this module
// can answer to it from a field, where context.WithValue would allocate for every request.
type Registry struct{}
