package store

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// A Change says what happened to a session, never what it looks like. The zero Change changes nothing.
//
// A store applies a Change in one step. It checks IfVersion and IfValue against the record before the change, applies
// Cleared before Edits, and counts sessions for MaxPerOwner after Owner is set. The order of the other fields makes no
// difference. ID, IfVersion, IfValue, NoRecord and MaxPerOwner change nothing by themselves.
type Change struct {
	// Created makes a new record with this ID, and needs IdleTimeout and Lifetime. Without it a Change never creates a
	// record. With IfVersion or IfValue it is refused with ErrConflict.
	Created bool
	ID      ID

	// IfVersion, unless 0, refuses the change with ErrConflict unless the record is at this version.
	IfVersion uint32

	// IfValue, unless nil, refuses the change with ErrConflict unless the record has, before the change, exactly this
	// document under this name. An empty JSON means that the record must have no value of that name. Documents are
	// compared byte for byte: 1.0 is not 1.
	IfValue *Value

	// NoRecord says that the caller doesn't need the record after the change. So the store may save the work of fetching
	// it, and return nil instead, unless the change creates or renews.
	NoRecord bool

	// RenewTo, unless zero, replaces the record's token. The step that makes the new token live also makes the old one
	// retired: it finds the record no more.
	RenewTo Token

	// Touched moves the record's last-seen time to now.
	Touched bool

	// Cleared removes all values that the record has, before Edits.
	Cleared bool

	// Edits change single values, at most one edit for each name. They cost least in the order of CompareNames.
	Edits []Edit

	// Owner, unless nil, is the new owner.
	Owner *string

	// MaxPerOwner, unless 0, is how many live sessions the owner that this change sets may have. The oldest beyond that
	// are ended (Evicted) in the same step, but never this one. The empty owner has no limit.
	MaxPerOwner int

	// Labels are set, or removed where the text is empty.
	Labels map[string]string

	Persistent *bool         // nil: as it was
	Lifetime   time.Duration // 0: as it was

	// IdleTimeout, unless 0, is the new idle timeout. It counts from now: such a change also moves last-seen to now, so
	// that a shorter idle timeout does not end a session that is in use.
	IdleTimeout time.Duration
}

// An Edit changes one value.
type Edit struct {
	Name  string
	Op    Op
	JSON  string // the new document, for Set
	Delta int64  // what is added, for Add
}

// An Op is what an Edit does.
type Op uint8

const (
	Set    Op = iota // the value becomes Edit.JSON
	Delete           // the value is removed; deleting a missing value is no error
	Add              // Edit.Delta is added to an integer; a missing value counts as 0
)

// String names the operation.
func (op Op) String() string {
	switch op {
	case Set:
		return "set"
	case Delete:
		return "delete"
	case Add:
		return "add"
	}
	return "Op(" + strconv.Itoa(int(op)) + ")"
}

// An EditError says which Edit could not be made, and why.
type EditError struct {
	Name string // of the value
	Err  error  // ErrNotInteger
}

func (e *EditError) Error() string { return fmt.Sprintf("value %q: %v", e.Name, e.Err) }

// Unwrap returns the cause.
func (e *EditError) Unwrap() error { return e.Err }

// IsZero reports whether the change changes nothing.
func (c *Change) IsZero() bool { return !c.Touched && !c.Mutates() }

// Renews reports whether the change replaces the record's token.
func (c *Change) Renews() bool { return c.RenewTo != Token{} }

// WantsRecord reports whether Commit has to return the record after the change.
func (c *Change) WantsRecord() bool { return !c.NoRecord || c.Created || c.Renews() }

// Mutates reports whether the change makes a new version of the record. Touched alone, which only moves last-seen,
// makes none.
func (c *Change) Mutates() bool {
	return c.Created || c.Renews() || c.Cleared || len(c.Edits) > 0 || c.Owner != nil ||
		len(c.Labels) > 0 || c.Persistent != nil || c.IdleTimeout != 0 || c.Lifetime != 0
}

// Allows reports whether IfVersion and IfValue allow the change of a record. A nil record stands for one to be created,
// which neither of them allows. It is for stores that change records in Go.
func (c *Change) Allows(r *Record) bool {
	if r == nil {
		return c.IfVersion == 0 && c.IfValue == nil
	}
	return (c.IfVersion == 0 || c.IfVersion == r.Version) && (c.IfValue == nil || c.IfValue.isIn(r.Values))
}

// isIn reports whether values have exactly this document under this name. An empty document means no value of that
// name.
func (v *Value) isIn(values Values) bool {
	doc, _ := values.Get(v.Name)
	return doc == v.JSON
}

// Find returns the index of a name's edit in Edits, or where to insert one. Edits have to be in the order of
// CompareNames.
func (c *Change) Find(name string) (at int, found bool) {
	return slices.BinarySearchFunc(c.Edits, name, func(e Edit, name string) int { return CompareNames(e.Name, name) })
}
