package session

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/lazysession/session/store"
)

// Errors that callers branch on, with [errors.Is]. Operations wrap them with what was done.
var (
	// ErrNoMiddleware says that the context carries no session: the handler is not wrapped by Manager.Handler.
	ErrNoMiddleware = errors.New("session: no session in this context: wrap the handler with Manager.Handler")
	// ErrTooLate says that the response has begun and what was asked needs a cookie, or that the request is over.
	ErrTooLate = errors.New("session: too late")
	// ErrEnded says that the session has ended, or that its token was renewed by another request, and takes no changes.
	ErrEnded = errors.New("session: session has ended")
	// ErrConflict says that a change lost against others each time it was tried; nothing of it was applied.
	ErrConflict = errors.New("session: conflict")
	// ErrTooLarge says that the session's values and labels would exceed Config.MaxBytes; they stay as they were.
	ErrTooLarge = errors.New("session: values too large")
	// ErrOutcomeUnknown says, together with ErrUnavailable, that changes were sent to the store and no answer came:
	// they may have been applied or not. They are not sent again, for a counter would count twice.
	ErrOutcomeUnknown = store.ErrOutcomeUnknown
	// ErrUnavailable says that the store did not answer, or not in time, or not with what was asked for.
	ErrUnavailable = errors.New("session: store unavailable")
)

// A ValueError says which value could not be used: one that does not decode into the key's type, since a deploy changed
// it, say; one that can't be encoded; or one whose name is not valid. Other values are not affected.
type ValueError struct {
	Name string // of the value
	Err  error  // why
}

func (e *ValueError) Error() string {
	return "session: value " + strconv.Quote(e.Name) + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *ValueError) Unwrap() error { return e.Err }

// fromStore translates the error of a store call: what callers branch on keeps its meaning, and everything else says
// that the store is unavailable.
func fromStore(err error) error {
	var edit *store.EditError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrRetired):
		return fmt.Errorf("%w (%w)", ErrEnded, err)
	case errors.Is(err, store.ErrConflict):
		return fmt.Errorf("%w (%w)", ErrConflict, err)
	case errors.As(err, &edit):
		return &ValueError{Name: edit.Name, Err: edit.Err}
	default:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
}
