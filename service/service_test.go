package service_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lazysession/session/service"
)

// The services of the tests. Each name is looked for in error messages.
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

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

func wantError(t *testing.T, got, want error, parts ...string) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("error = %v, want one that is %v", got, want)
	}
	wantText(t, got, parts...)
}

func wantText(t *testing.T, got error, parts ...string) {
	t.Helper()
	if got == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(got.Error(), part) {
			t.Errorf("error = %q, want %q in it", got, part)
		}
	}
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}
