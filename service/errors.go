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

	// ErrClosed says that the registry asked, or the ancestor that had to answer for it, is closed.
	ErrClosed = errors.New("service: registry closed")

	// ErrCycle says that builders wait for each other, so that none could ever finish.
	ErrCycle = errors.New("service: cycle of builders")
)

var (
	errNilRegistry = errors.New("nil registry")
	errNilService  = errors.New("nil service")
	errNilBuilder  = errors.New("nil builder")
	errExited      = errors.New("the builder ended its goroutine")
)

// about says which service an error of this package is about.
func about(err error, k key) error { return fmt.Errorf("%w: %v", err, k) }

// recoverAs turns a panic of foreign code into an error. It keeps the stack, which is all
// that leads to the mistake once the panic is stopped.
func recoverAs(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
	}
}
