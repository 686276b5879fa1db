package store

import (
	"errors"
	"maps"
	"slices"
	"strconv"
)

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
