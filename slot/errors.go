package slot

import (
	"errors"
	"fmt"
)

var (
	// ErrTaken says that the name is taken. The error says where in the source it was asked for.
	ErrTaken = errors.New("slot: name taken")

	// ErrFrozen says that a holder has opened, so that the table can't get more slots.
	ErrFrozen = errors.New("slot: table frozen: ask for slots before the first holder opens")

	// ErrOtherTable says that the slot and the holder belong to different tables.
	ErrOtherTable = errors.New("slot: slot and holder belong to different tables")

	// ErrNoData says that the holder is nil, has no data, or was never opened.
	ErrNoData = errors.New("slot: no open holder of slots")

	// ErrReleased says that the holder's data has been released.
	ErrReleased = errors.New("slot: released")
)

var (
	errNoSlot    = errors.New("slot: zero Slot: make it with New")
	errNoTable   = errors.New("slot: nil table")
	errNoName    = errors.New("slot: a slot needs a name")
	errNoContext = errors.New("slot: data opened with a nil context")
	errTwice     = errors.New("slot: data opened twice")
)

// about says which slot an error is about.
func (e *entry) about(err error) error { return fmt.Errorf("%w: %q", err, e.name) }
