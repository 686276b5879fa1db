package session

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/lazysession/session/store"
)

const (
	updateTries = 100
	// Those who lose often wait a random time, which grows to updatePause: long enough for a round trip to a database.
	updatePause = 20 * time.Millisecond
)

// update commits what f makes of the document under name, together with the rest of the change, by compare-and-swap.
func (s *Session) update(ctx context.Context, name string, f func(doc string, ok bool) (string, error)) error {
	for try := range updateTries {
		if err := pause(ctx, try); err != nil {
			return err
		}
		done, err := s.tryUpdate(ctx, name, f)
		if done || err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: value %q was changed by others %d times", ErrConflict, name, updateTries)
}

// pause lets others go first after some losses in a row.
func pause(ctx context.Context, try int) error {
	const free = 2
	if try < free {
		return nil
	}
	longest := min(updatePause, time.Millisecond<<min(try-free, 10))
	select {
	case <-time.After(rand.N(longest)):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// tryUpdate is done when the new document is committed. f runs without the lock, so that it may use the session; what
// it did is redone if the value, here or in the store, is another by then.
func (s *Session) tryUpdate(ctx context.Context, name string, f func(string, bool) (string, error)) (done bool, err error) {
	if err := s.enterToWrite(ctx); err != nil {
		return false, err
	}
	old, ok, err := s.lookupLocked(name)
	seen := s.rec
	s.mu.Unlock()
	if err != nil {
		return false, err
	}

	doc, err := f(old, ok)
	if err != nil {
		return false, err
	}

	if err := s.enterToWrite(ctx); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	now, stillOK, err := s.lookupLocked(name)
	if err != nil || s.rec != seen || now != old || stillOK != ok {
		return false, err
	}
	return s.swapLocked(ctx, name, doc)
}

// swapLocked commits the change with the new document. Where the record has moved on it reads that, takes the document
// back, and is not done.
func (s *Session) swapLocked(ctx context.Context, name, doc string) (done bool, err error) {
	takeBack := s.rememberLocked(name)
	if err := s.setLocked(name, doc); err != nil {
		return false, err
	}
	if s.state == live {
		s.change.IfVersion = s.rec.Version
	}
	err = s.commitLocked(ctx)
	s.change.IfVersion = 0
	if err != nil {
		takeBack()
	}
	if s.state == live && errors.Is(err, ErrConflict) {
		return false, s.reloadLocked(ctx)
	}
	return err == nil, err
}

// rememberLocked returns a function that restores the edit of a name as it is now.
func (s *Session) rememberLocked(name string) (restore func()) {
	var earlier []store.Edit
	if at, found := s.change.Find(name); found {
		earlier = []store.Edit{s.change.Edits[at]}
	}
	return func() {
		if at, found := s.change.Find(name); found {
			s.change.Edits = slices.Replace(s.change.Edits, at, at+1, earlier...)
			s.size = 0
		}
	}
}
