package session

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/lazysession/session/store"
)

// A draft is a session as one request sees it: the record from the store, and on top of it the change that the request
// has made and not committed. It knows nothing of locks, tokens and HTTP.
type draft struct {
	rec    *store.Record // nil where the store has none
	change store.Change
	size   int // bytes of rec's values and labels with the change; counted at the first write, 0 before
}

// lookup returns the document under name.
func (d *draft) lookup(name string) (doc string, ok bool, err error) {
	at, found := d.change.Find(name)
	if !found {
		doc, ok = d.underneath(name)
		return doc, ok, nil
	}
	switch edit := d.change.Edits[at]; edit.Op {
	case store.Set:
		return edit.JSON, true, nil
	case store.Add:
		doc, _ = d.underneath(name)
		sum, err := store.AddJSON(doc, edit.Delta)
		if err != nil {
			return "", false, &ValueError{Name: name, Err: err}
		}
		return strconv.FormatInt(sum, 10), true, nil
	default:
		return "", false, nil
	}
}

// underneath returns the document that an edit of name is made to.
func (d *draft) underneath(name string) (doc string, ok bool) {
	if d.rec == nil || d.change.Cleared {
		return "", false
	}
	return d.rec.Values.Get(name)
}

// set changes the document under name, unless all values would have more than limit bytes.
func (d *draft) set(name, doc string, limit int) error {
	if err := d.makeRoom(name, len(doc), limit); err != nil {
		return err
	}
	d.edit(store.Edit{Name: name, Op: store.Set, JSON: doc})
	return nil
}

// delete removes the value under name, also where there is none to see: another request may have set it meanwhile.
func (d *draft) delete(name string) {
	d.edit(store.Edit{Name: name, Op: store.Delete})
	d.size = 0
}

// take removes the value under name and returns its document.
func (d *draft) take(name string) (doc string, ok bool, err error) {
	doc, ok, err = d.lookup(name)
	if err != nil || !ok {
		return "", false, err
	}
	d.delete(name)
	return doc, true, nil
}

// add adds to the integer under name and returns the sum.
func (d *draft) add(name string, delta int64, limit int) (sum int64, err error) {
	doc, _, err := d.lookup(name)
	if err != nil {
		return 0, err
	}
	sum, err = store.AddJSON(doc, delta)
	if err != nil {
		return 0, &ValueError{Name: name, Err: err}
	}
	edit, err := d.addition(name, delta, sum)
	if err != nil {
		return 0, err
	}
	var digits [20]byte
	if err := d.makeRoom(name, len(strconv.AppendInt(digits[:0], sum, 10)), limit); err != nil {
		return 0, err
	}
	d.edit(edit)
	return sum, nil
}

// addition returns the edit that adds delta to what the store has, on top of what this request has added. Where the
// request has set or deleted the value itself, that is a Set of the sum. Additions that together leave int64 are an
// error: as a Set they would forget what other requests have added.
func (d *draft) addition(name string, delta, sum int64) (store.Edit, error) {
	edit := store.Edit{Name: name, Op: store.Add, Delta: delta}
	at, found := d.change.Find(name)
	if !found {
		return edit, nil
	}
	earlier := d.change.Edits[at]
	if earlier.Op != store.Add {
		return store.Edit{Name: name, Op: store.Set, JSON: strconv.FormatInt(sum, 10)}, nil
	}
	total, err := store.AddJSON(strconv.FormatInt(earlier.Delta, 10), delta)
	if err != nil {
		return edit, &ValueError{Name: name, Err: fmt.Errorf("the additions of this request together: %w", err)}
	}
	edit.Delta = total
	return edit, nil
}

// clear removes every value.
func (d *draft) clear() {
	d.change.Cleared, d.change.Edits, d.size = true, nil, 0
}

// edit notes an edit, in the place of an earlier one of the same name.
func (d *draft) edit(e store.Edit) {
	at, found := d.change.Find(e.Name)
	if found {
		d.change.Edits[at] = e
		return
	}
	d.change.Edits = slices.Insert(d.change.Edits, at, e)
}

// remember returns a function that restores the edit of a name as it is now.
func (d *draft) remember(name string) (restore func()) {
	var earlier []store.Edit
	if at, found := d.change.Find(name); found {
		earlier = []store.Edit{d.change.Edits[at]}
	}
	return func() {
		if at, found := d.change.Find(name); found {
			d.change.Edits = slices.Replace(d.change.Edits, at, at+1, earlier...)
			d.size = 0
		}
	}
}

// setLabel changes a label, on the terms of set. An empty text removes it.
func (d *draft) setLabel(name, text string, limit int) error {
	if err := d.grow(labelSize(name, text)-labelSize(name, d.label(name)), limit); err != nil {
		return fmt.Errorf("%w: label %q", err, name)
	}
	if d.change.Labels == nil {
		d.change.Labels = make(map[string]string)
	}
	d.change.Labels[name] = text
	return nil
}

func (d *draft) label(name string) string {
	if text, ok := d.change.Labels[name]; ok || d.rec == nil {
		return text
	}
	return d.rec.Labels[name]
}

// makeRoom counts a document of n bytes that is to stand under name, or returns ErrTooLarge.
func (d *draft) makeRoom(name string, n, limit int) error {
	more := n
	switch old, ok, _ := d.lookup(name); { // a sum that can't be made may be replaced: it counts as absent
	case ok:
		more -= len(old)
	default:
		more += len(name)
	}
	if err := d.grow(more, limit); err != nil {
		return fmt.Errorf("%w: value %q of %d bytes", err, name, n)
	}
	return nil
}

// grow adds to the size, or returns ErrTooLarge. A draft that is too large already may shrink.
func (d *draft) grow(more, limit int) error {
	if more > 0 {
		if size := d.bytes() + more; size > limit {
			return fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, size, limit)
		}
	}
	if d.size != 0 {
		d.size += more
	}
	return nil
}

// bytes returns the size of all values and labels with their names. It counts once, and grow keeps the count.
func (d *draft) bytes() int {
	switch {
	case d.size != 0:
	case d.rec == nil && len(d.change.Edits) == 0 && len(d.change.Labels) == 0: // the first write of a new session
	case len(d.change.Edits) == 0 && !d.change.Cleared && len(d.change.Labels) == 0:
		d.size = sizeOf(d.rec)
	default:
		// Where a sum can't be made there is no view; the commit will refuse it whatever its size.
		if view, err := d.over(d.rec, 0); err == nil {
			d.size = sizeOf(view)
		}
	}
	return d.size
}

// sizeOf returns the bytes of a record that Config.MaxBytes limits.
func sizeOf(r *store.Record) int {
	n := r.Values.Size()
	for name, text := range r.Labels {
		n += labelSize(name, text)
	}
	return n
}

// labelSize returns the bytes of a label; there is none where the text is empty.
func labelSize(name, text string) int {
	if text == "" {
		return 0
	}
	return len(name) + len(text)
}

// over returns what the change makes of a record; of nil, of an empty one.
func (d *draft) over(r *store.Record, now store.Instant) (*store.Record, error) {
	if r == nil {
		r = &store.Record{ID: d.change.ID, Created: now, LastSeen: now}
	}
	return d.change.Apply(r, now)
}

// view returns the session as this request sees it; nil where there is none.
func (d *draft) view(now store.Instant) (*store.Record, error) {
	if d.change.IsZero() {
		return d.rec, nil
	}
	return d.over(d.rec, now)
}

// ownView returns what the draft knows of the record after a commit of which the store brought none back. An addition
// that can't be made in this view, for the store had an integer that another request has set meanwhile, is left out.
func (d *draft) ownView(now store.Instant) *store.Record {
	rec, err := d.view(now)
	if err != nil {
		d.change.Edits = slices.DeleteFunc(d.change.Edits, func(e store.Edit) bool { return e.Op == store.Add })
		rec, _ = d.view(now)
	}
	return rec
}

// committed makes the record after a commit the one that further changes are made to.
func (d *draft) committed(rec *store.Record) { *d = draft{rec: rec} }

// forget drops the change.
func (d *draft) forget() { d.change, d.size = store.Change{}, 0 }
