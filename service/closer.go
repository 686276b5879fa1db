package service

import (
	"context"
	"errors"
	"fmt"
	"reflect"
)

// A closer is a service that can be closed.
type closer struct {
	key   key
	svc   any
	close func(context.Context) error
}

// newCloser returns nil for a service that can't be closed.
func newCloser(k key, svc any) *closer {
	shutdown, closes := shutdownOf(svc), closeOf(svc)
	switch {
	case shutdown == nil && closes == nil:
		return nil
	case shutdown == nil:
		return &closer{k, svc, closes}
	case closes == nil:
		return &closer{k, svc, shutdown}
	}
	return &closer{k, svc, orElse(shutdown, closes)}
}

func (c *closer) run(ctx context.Context) error {
	if err := c.call(ctx); err != nil {
		return fmt.Errorf("service: close %v: %w", c.key, err)
	}
	return nil
}

func (c *closer) call(ctx context.Context) (err error) {
	defer recoverAs(&err)
	return c.close(ctx)
}

// same reports whether both are one service. Values that can't be compared are never one.
func (c *closer) same(other *closer) bool {
	return reflect.ValueOf(c.svc).Comparable() && reflect.ValueOf(other.svc).Comparable() && c.svc == other.svc
}

// orElse is for services like http.Server, whose Shutdown is gentle, and leaves open what
// was still in use when the context ended.
func orElse(shutdown, closes func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := shutdown(ctx); err != nil {
			return errors.Join(err, closes(ctx))
		}
		return nil
	}
}

func shutdownOf(svc any) func(context.Context) error {
	switch s := svc.(type) {
	case interface{ Shutdown(context.Context) error }:
		return s.Shutdown
	case interface{ Shutdown() error }:
		return func(context.Context) error { return s.Shutdown() }
	case interface{ Shutdown() }:
		return func(context.Context) error { s.Shutdown(); return nil }
	}
	return nil
}

func closeOf(svc any) func(context.Context) error {
	switch s := svc.(type) {
	case interface{ Close(context.Context) error }:
		return s.Close
	case interface{ Close() error }:
		return func(context.Context) error { return s.Close() }
	case interface{ Close() }:
		return func(context.Context) error { s.Close(); return nil }
	}
	return nil
}
