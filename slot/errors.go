package slot

import (
	"errors"
	"fmt"
)

var (
	// ErrTaken says that the name was asked for before; the error tells where.
	ErrTaken = errors.New("slot: name taken")

	// ErrFrozen says that the first holder has opened, so that there can be no more slots.
	ErrFrozen = errors.New("slot: table frozen: slots are asked for before the first holder opens")

	// ErrOtherTable says that the slot is of another table than the holder.
	ErrOtherTable = errors.New("slot: the slot is of another table than the holder")

	// ErrNoData says that there is nothing to look in: the holder is nil, or was never opened.
	ErrNoData = errors.New("slot: no holder of slots here")

	// ErrReleased says that the holder's data has been released.
	ErrReleased = errors.New("slot: released")
)

var (
	errNoSlot    = errors.New("slot: the zero Slot, which no New has made")
	errNoTable   = errors.New("slot: nil table")
	errNoName    = errors.New("slot: a slot needs a name")
	errNoContext = errors.New("slot: data opened with a nil context")
	errTwice     = errors.New("slot: data opened twice")
)

// about says which slot an error is about.
func (e *entry) about(err error) error { return fmt.Errorf("%w: %q", err, e.name) }
