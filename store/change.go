package store

import (
	"errors"
	"fmt"
	"maps"
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

// New returns the record that a Change with Created makes under a token.
func (c *Change) New(token Token, now Instant) (*Record, error) {
	if c.IdleTimeout <= 0 || c.Lifetime <= 0 {
		return nil, errors.New("store: a new record needs an idle timeout and a lifetime")
	}
	return c.Apply(&Record{Token: token, ID: c.ID, Created: now, LastSeen: now}, now)
}

// Apply returns the record after the change; old stays as it was. It is the one definition of what a Change means, for
// stores that change records in Go, and for sessions that show a change before it is committed. With an error it
// returns no record. The store has to check expiry, IfVersion, IfValue, Created and MaxPerOwner itself.
func (c *Change) Apply(old *Record, now Instant) (*Record, error) {
	r := new(*old)
	if err := c.ApplyTo(r, now); err != nil {
		return nil, err
	}
	return r, nil
}

// ApplyTo is Apply in place, for a record that is not shared yet: a store's own copy of the old one. After an error the
// record is half changed.
func (c *Change) ApplyTo(r *Record, now Instant) error {
	if c.Touched || c.IdleTimeout != 0 {
		r.LastSeen = max(r.LastSeen, now)
	}
	if !c.Mutates() {
		return nil
	}
	r.Version++
	if c.Renews() {
		r.Token = c.RenewTo
	}
	if c.Owner != nil {
		r.Owner = *c.Owner
	}
	if c.Persistent != nil {
		r.Persistent = *c.Persistent
	}
	if c.IdleTimeout != 0 {
		r.IdleTimeout = c.IdleTimeout
	}
	if c.Lifetime != 0 {
		r.Lifetime = c.Lifetime
	}
	r.Labels = relabel(r.Labels, c.Labels)
	if c.Cleared {
		r.Values = Values{}
	}
	values, err := r.Values.edit(c.Edits)
	r.Values = values
	return err
}

// relabel returns old with the changes made. Without changes it returns old itself.
func relabel(old, changes map[string]string) map[string]string {
	if len(changes) == 0 {
		return old
	}
	labels := maps.Clone(old)
	if labels == nil {
		labels = make(map[string]string, len(changes))
	}
	maps.Copy(labels, changes)
	maps.DeleteFunc(labels, func(_, text string) bool { return text == "" })
	return labels
}

// edit returns the values after the edits.
func (v Values) edit(edits []Edit) (Values, error) {
	if len(edits) == 0 {
		return v, nil
	}
	byName := func(a, b Edit) int { return CompareNames(a.Name, b.Name) }
	if !slices.IsSortedFunc(edits, byName) {
		edits = slices.SortedStableFunc(slices.Values(edits), byName)
	}
	var buf packerBuf
	p := newPacker(buf[:0], len(v.packed)+editsSize(edits))
	rest := v.packed
	for _, e := range edits {
		before := rest
		rest = skipTo(rest, e.Name)
		p = append(p, before[:len(before)-len(rest)]...)
		var old string
		if name, doc, after := unpackFirst(rest); name == e.Name {
			old, rest = doc, after
		}
		var err error
		if p, err = p.edit(e, old); err != nil {
			return v, err
		}
	}
	return append(p, rest...).values(), nil
}

// editsSize returns how many bytes edits add to packed values at most.
func editsSize(edits []Edit) int {
	const integer = "-9223372036854775808" // the longest sum
	n := 0
	for _, e := range edits {
		n += packedSize(e.Name, e.JSON)
		if e.Op == Add {
			n += len(integer)
		}
	}
	return n
}

// skipTo returns the packed values from name on.
func skipTo(packed, name string) string {
	for packed != "" {
		n, _, rest := unpack(packed)
		if CompareNames(n, name) >= 0 {
			break
		}
		packed = rest
	}
	return packed
}

func unpackFirst(packed string) (name, doc, rest string) {
	if packed == "" {
		return "", "", ""
	}
	return unpack(packed)
}

// edit adds the value after an edit, if there is one. The document before the edit is old, or empty where there was
// none.
func (p packer) edit(e Edit, old string) (packer, error) {
	switch e.Op {
	case Set:
		return p.add(e.Name, e.JSON), nil
	case Add:
		sum, err := AddJSON(old, e.Delta)
		if err != nil {
			return nil, &EditError{Name: e.Name, Err: err}
		}
		return p.add(e.Name, strconv.FormatInt(sum, 10)), nil
	}
	return p, nil
}

// AddJSON returns the sum of the integer in a JSON document and delta. An empty document counts as 0. AddJSON returns
// ErrNotInteger for any other document, and for a sum beyond int64.
func AddJSON(doc string, delta int64) (int64, error) {
	if doc == "" {
		return delta, nil
	}
	n, err := strconv.ParseInt(doc, 10, 64)
	if err != nil || doc[0] == '+' || doc == "-0" { // ParseInt accepts these two, databases don't
		return 0, ErrNotInteger
	}
	sum := n + delta
	if (sum > n) != (delta > 0) && delta != 0 {
		return 0, ErrNotInteger
	}
	return sum, nil
}
