package service

import (
	"context"

	"github.com/lazysession/session/internal/ctxkey"
)

// NewContext returns a copy of ctx whose queries ask r. It hides a registry that ctx had before;
// where that one should answer too, make it the parent of r.
func NewContext(ctx context.Context, r *Registry) context.Context {
	return context.WithValue(ctx, ctxkey.Registry{}, r)
}

// FromContext returns the registry that queries with ctx ask, or nil if there is none.
func FromContext(ctx context.Context) *Registry {
	r, _ := ctx.Value(ctxkey.Registry{}).(*Registry)
	return r
}
