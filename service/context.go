package service

import (
	"context"

	"github.com/lazysession/session/internal/ctxkey"
)

// NewContext returns a copy of ctx. Queries with the copy ask r, and no longer the registry of ctx. To have that one
// answer too, make it the parent of r.
func NewContext(ctx context.Context, r *Registry) context.Context {
	return context.WithValue(ctx, ctxkey.Registry{}, r)
}

// FromContext returns the registry that queries with ctx ask. It returns nil if there is none.
func FromContext(ctx context.Context) *Registry {
	r, _ := ctx.Value(ctxkey.Registry{}).(*Registry)
	return r
}
