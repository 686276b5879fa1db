// Package expect has the checks of values and errors that tests of several packages use.
package expect

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// NoError ends the test if there is an error. It is for the test's own goroutine.
func NoError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

// OK fails the test if there is an error, and lets it go on. Any goroutine may call it.
func OK(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("unexpected error: %v", err)
	}
}

// Equal fails the test unless got equals want.
func Equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// Lines fails the test unless got has the lines of want, in their order.
func Lines(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// Is fails the test unless got is want, as errors.Is says, where a nil want means no error. Any goroutine may call it.
func Is(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

// Error ends the test unless got is want, as errors.Is says, and fails it where the text lacks one of the parts. It is
// for the test's own goroutine.
func Error(t testing.TB, got, want error, parts ...string) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("error: got %v, want one that is %v", got, want)
	}
	Text(t, got, parts...)
}

// Text ends the test if there is no error, and fails it where the text lacks one of the parts. It is for the test's own
// goroutine.
func Text(t testing.TB, got error, parts ...string) {
	t.Helper()
	if got == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(got.Error(), part) {
			t.Errorf("error: got %q, want %q in it", got, part)
		}
	}
}

// Panic returns the value with which f panics, or nil.
func Panic(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}
