package session

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/lazysession/session/store"
)

const (
	updateTries = 100
	// An Update that loses often waits a random time, which grows to updatePause: long enough for a round trip to a
	// database.
	updatePause = 20 * time.Millisecond
)

// update commits what f makes of the document under name, together with the rest of the change, by compare-and-swap of
// that one document.
func (s *Session) update(ctx context.Context, name valueName, f func(doc string, ok bool) (string, error)) error {
	if err := name.check(); err != nil {
		return s.settle(changing(name.text), err)
	}
	if s.m == nil {
		return ErrNoMiddleware
	}
	var ofCaller error // what f returns is no failure of the session
	err := s.swapUntilDone(ctx, name.text, func(doc string, ok bool) (string, error) {
		doc, ofCaller = f(doc, ok)
		return doc, ofCaller
	})
	if ofCaller != nil {
		return ofCaller
	}
	return s.settle(changing(name.text), err)
}

func (s *Session) swapUntilDone(ctx context.Context, name string, f func(string, bool) (string, error)) error {
	lost := false
	for try := range updateTries {
		if err := pause(ctx, try); err != nil {
			return err
		}
		if lost { // after the pause: a record from before it would lose again
			if err := s.refresh(ctx); err != nil {
				return err
			}
		}
		err := s.tryUpdate(ctx, name, f)
		if err == nil {
			return nil
		}
		if err != errOtherWasFaster && err != errChangedMeanwhile {
			return err
		}
		lost = err == errOtherWasFaster
	}
	return fmt.Errorf("%w: value %q was changed by others %d times", ErrConflict, name, updateTries)
}

var (
	errOtherWasFaster   = errors.New("another request has changed the value")
	errChangedMeanwhile = errors.New("this request has changed the value while the function ran")
)

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

// tryUpdate commits the new document. f runs without the lock, so that it may use the session; what it did is not
// committed if the value, here or in the store, is another by then.
func (s *Session) tryUpdate(ctx context.Context, name string, f func(string, bool) (string, error)) error {
	before, err := s.look(ctx, name)
	if err != nil {
		return err
	}
	doc, err := f(before.doc, before.ok)
	if err != nil {
		return err
	}
	return s.locked(ctx, func(v *visit) error {
		now, err := v.look(name)
		if err != nil {
			return err
		}
		if now != before {
			return errChangedMeanwhile
		}
		return v.write(func(v *visit) error { return v.swap(ctx, name, doc) })
	})
}

// A sight is what an update sees before it calls its function.
type sight struct {
	rec *store.Record
	doc string
	ok  bool
}

func (s *Session) look(ctx context.Context, name string) (seen sight, err error) {
	err = s.locked(ctx, func(v *visit) (err error) {
		if err = v.mayWrite(); err == nil {
			seen, err = v.look(name)
		}
		return err
	})
	return seen, err
}

func (v *visit) look(name string) (seen sight, err error) {
	seen.rec = v.rec
	seen.doc, seen.ok, err = v.lookup(name)
	return seen, err
}

// swap commits the change with the new document, if the store still has the one that this request has read. If not,
// it takes the new one back.
func (v *visit) swap(ctx context.Context, name, doc string) error {
	takeBack := v.remember(name)
	if err := v.draft.set(name, doc, v.s.m.cfg.MaxBytes); err != nil {
		return err
	}
	wasLive := v.state == live
	if wasLive {
		stored, _ := v.rec.Values.Get(name)
		v.change.IfValue = &store.Value{Name: name, JSON: stored}
	}
	err := v.commit(ctx)
	v.change.IfValue = nil
	if err != nil {
		takeBack()
	}
	if wasLive && errors.Is(err, ErrConflict) {
		return errOtherWasFaster
	}
	return err
}

// refresh reads the session anew, for another try.
func (s *Session) refresh(ctx context.Context) error {
	return s.locked(ctx, func(v *visit) error {
		if v.state != live {
			return nil // the next try says what has become of it
		}
		return v.loadAgain(ctx)
	})
}
