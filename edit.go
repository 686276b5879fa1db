package session

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/lazysession/session/store"
)

// get returns the JSON document under name, as this request sees it.
func (s *Session) get(ctx context.Context, name string) (doc string, ok bool, err error) {
	if err := s.enter(ctx); err != nil {
		return "", false, err
	}
	defer s.mu.Unlock()
	return s.lookupLocked(name)
}

// set changes the document under name.
func (s *Session) set(ctx context.Context, name, doc string) error {
	if err := s.enterToWrite(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	return s.setLocked(name, doc)
}

// delete removes the value under name. It makes no session where there is none.
func (s *Session) delete(ctx context.Context, name string) error {
	if err := s.enterToChange(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	switch s.state {
	case ended, retired:
		return ErrEnded
	case live, fresh:
		// Also where there is nothing to see: another request may have set it meanwhile.
		s.deleteLocked(name)
	}
	return nil
}

// take removes the value under name and returns its document. Of an ended session there is nothing to take, which is no
// loss.
func (s *Session) take(ctx context.Context, name string) (doc string, ok bool, err error) {
	if err := s.enterToChange(ctx); err != nil {
		return "", false, err
	}
	defer s.mu.Unlock()
	return s.takeLocked(name)
}

func (s *Session) takeLocked(name string) (doc string, ok bool, err error) {
	doc, ok, err = s.lookupLocked(name)
	if err != nil || !ok {
		return "", false, err
	}
	s.deleteLocked(name)
	return doc, true, nil
}

func (s *Session) deleteLocked(name string) {
	s.editLocked(store.Edit{Name: name, Op: store.Delete})
	s.size = 0 // to be counted anew
}

// add adds to the integer under name and returns the sum, as this request sees it.
func (s *Session) add(ctx context.Context, name string, delta int64) (sum int64, err error) {
	if err := s.enterToWrite(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	return s.addLocked(name, delta)
}

func (s *Session) addLocked(name string, delta int64) (sum int64, err error) {
	doc, _, err := s.lookupLocked(name)
	if err != nil {
		return 0, err
	}
	sum, err = store.AddJSON(doc, delta)
	if err != nil {
		return 0, &ValueError{Name: name, Err: err}
	}
	edit, ok := s.additionLocked(name, delta)
	if !ok {
		return sum, s.setLocked(name, strconv.FormatInt(sum, 10))
	}
	var digits [20]byte
	if err := s.makeRoomLocked(name, len(strconv.AppendInt(digits[:0], sum, 10))); err != nil {
		return 0, err
	}
	s.editLocked(edit)
	return sum, nil
}

// additionLocked returns the edit that adds delta to what the store has, on top of what this request has added. It is
// not ok where the request has set or deleted the value itself, or where its additions together leave int64.
func (s *Session) additionLocked(name string, delta int64) (edit store.Edit, ok bool) {
	edit = store.Edit{Name: name, Op: store.Add, Delta: delta}
	at, found := s.change.Find(name)
	if !found {
		return edit, true
	}
	earlier := s.change.Edits[at]
	if earlier.Op != store.Add {
		return edit, false
	}
	sum, err := store.AddJSON(strconv.FormatInt(earlier.Delta, 10), delta)
	edit.Delta = sum
	return edit, err == nil
}

// lookupLocked returns the document under name: this request's own, or the record's.
func (s *Session) lookupLocked(name string) (doc string, ok bool, err error) {
	at, found := s.change.Find(name)
	if !found {
		doc, ok = s.storedLocked(name)
		return doc, ok, nil
	}
	switch edit := s.change.Edits[at]; edit.Op {
	case store.Set:
		return edit.JSON, true, nil
	case store.Add:
		doc, _ = s.storedLocked(name)
		sum, err := store.AddJSON(doc, edit.Delta)
		if err != nil {
			return "", false, &ValueError{Name: name, Err: err}
		}
		return strconv.FormatInt(sum, 10), true, nil
	default:
		return "", false, nil
	}
}

// storedLocked returns the document that the record has under name, before this request's edit of it.
func (s *Session) storedLocked(name string) (doc string, ok bool) {
	if s.rec == nil || s.change.Cleared {
		return "", false
	}
	return s.rec.Values.Get(name)
}

// setLocked changes the document under name, if there is room for it.
func (s *Session) setLocked(name, doc string) error {
	if err := s.makeRoomLocked(name, len(doc)); err != nil {
		return err
	}
	s.editLocked(store.Edit{Name: name, Op: store.Set, JSON: doc})
	return nil
}

// makeRoomLocked counts a document of n bytes that is to stand under name, or returns ErrTooLarge.
func (s *Session) makeRoomLocked(name string, n int) error {
	more := n
	switch old, ok, _ := s.lookupLocked(name); { // a sum that can't be made may be replaced: it counts as absent
	case ok:
		more -= len(old)
	default:
		more += len(name)
	}
	if more > 0 {
		size, limit := s.sizeLocked()+more, s.m.cfg.MaxBytes
		if size > limit {
			return fmt.Errorf("%w: value %q of %d bytes would make it %d, the limit is %d", ErrTooLarge, name, n, size, limit)
		}
	}
	s.resizeLocked(more)
	return nil
}

// sizeLocked returns the bytes of all values and names. It counts once, and makeRoomLocked keeps the count.
func (s *Session) sizeLocked() int {
	switch {
	case s.size != 0:
	case len(s.change.Edits) == 0 && (s.rec == nil || s.change.Cleared): // the first write of a new session
	case len(s.change.Edits) == 0:
		s.size = s.rec.Values.Size()
	default:
		// Where a sum can't be made there is no view; the commit will refuse it whatever its size.
		if view, err := s.viewLocked(); err == nil {
			s.size = view.Values.Size()
		}
	}
	return s.size
}

func (s *Session) resizeLocked(more int) {
	if s.size != 0 {
		s.size += more
	}
}

// editLocked notes an edit, in the place of an earlier one of the same name.
func (s *Session) editLocked(e store.Edit) {
	at, found := s.change.Find(e.Name)
	if found {
		s.change.Edits[at] = e
		return
	}
	s.change.Edits = slices.Insert(s.change.Edits, at, e)
}

// Clear removes every value and keeps the session. Where there is none, it does nothing.
func (s *Session) Clear() error {
	if err := s.enterToChange(s.ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	switch s.state {
	case ended, retired:
		return ErrEnded
	case live, fresh:
		s.change.Cleared, s.change.Edits, s.size = true, nil, 0
	}
	return nil
}
