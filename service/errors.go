package service

import (
	"errors"
	"fmt"
	"runtime/debug"
)

var (
	// ErrTaken says that the registry already has a service of this type and name.
	ErrTaken = errors.New("service: already provided")

	// ErrNotProvided says that neither the registry nor its ancestors have the service asked for.
	ErrNotProvided = errors.New("service: not provided")

	// ErrClosed says that the registry, or the ancestor that had to answer for it, is closed.
	ErrClosed = errors.New("service: registry closed")

	// ErrCycle says that a builder asks for the service it builds, directly or through other builders. Its text names
	// the services of the cycle.
	ErrCycle = errors.New("service: cycle of builders")
)

var (
	errNilRegistry = errors.New("nil registry")
	errNilService  = errors.New("nil service")
	errNilBuilder  = errors.New("nil builder")
	errExited      = errors.New("the builder ended its goroutine")
)

// about adds the name of the service to an error of this package.
func about(err error, k key) error { return fmt.Errorf("%w: %v", err, k) }

// recoverAs turns a panic of a builder or a service into an error. The error has the stack, which shows where the
// mistake is.
func recoverAs(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
	}
}
