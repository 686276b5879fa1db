package session

import (
	"context"
	"errors"
	"slices"

	"github.com/lazysession/session/store"
)

// Commit stores the changes now, in one atomic step: for handlers that run long, for sessions outside HTTP, and to see
// the exact sum of a Counter. Within a request that has nothing else to commit, there is no second round trip. A client
// that goes away, or a cancelled ctx, does not cancel it; Config.StoreTimeout limits it.
//
// ErrEnded says that the session ended meanwhile and the changes are lost; a ValueError that a counter met a value that
// is not an integer; ErrUnavailable that the store failed, and with it ErrOutcomeUnknown that the changes may have been
// applied all the same.
func (s *Session) Commit(ctx context.Context) error {
	if s.m == nil {
		return ErrNoMiddleware
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == untouched && !s.in(closed) {
		return nil // and stays so
	}
	if err := s.readyLocked(ctx); err != nil {
		return err
	}
	return s.commitLocked(ctx)
}

// commitLocked sends the change to the store, if there is one, and takes the record from there.
func (s *Session) commitLocked(ctx context.Context) error {
	return s.commitUseLocked(ctx, store.InstantOf(s.m.now()), true)
}

// commitUseLocked commits a session that was used at a time. Who wants no record goes on with what this request knows,
// unless the cookie is about to be made of it: that has to tell what other requests have changed.
func (s *Session) commitUseLocked(ctx context.Context, at store.Instant, wantRecord bool) error {
	if s.state == live && s.rec.TouchDue(at) {
		s.change.Touched = true
	}
	if s.change.IsZero() {
		return nil
	}
	s.change.NoRecord = !wantRecord && s.tell == tellNothing && !s.clientMustKnow()
	id := s.change.ID
	if s.state == live {
		id = s.rec.ID
	}
	rec, err := s.sendLocked(ctx, id)
	if err != nil {
		return s.commitFailedLocked(err)
	}
	if rec == nil {
		rec = s.ownViewLocked()
	}
	if s.clientMustKnow() {
		s.tell = tellToken
	}
	if s.change.Renews() {
		s.signed, s.raw, s.token = "", s.next, s.change.RenewTo
	}
	s.state, s.rec, s.change = live, rec, store.Change{}
	s.size = 0
	return nil
}

var errPanicked = errors.New("the store panicked")

// sendLocked sends the change. A store that panics leaves its outcome unknown: it is not sent again, should somebody
// recover.
func (s *Session) sendLocked(ctx context.Context, id ID) (*store.Record, error) {
	returned := false
	defer func() {
		if !returned {
			s.commitFailedLocked(errPanicked)
		}
	}()
	rec, err := s.m.commit(ctx, s.token, id, &s.change)
	returned = true
	return rec, err
}

// ownViewLocked returns the record after a change of which the store brought none back, as this request sees it. An
// addition that can't be made in this view, for the store had an integer that another request has set meanwhile, is left
// out. Once the request is over nobody looks.
func (s *Session) ownViewLocked() *store.Record {
	if s.in(closed) {
		return s.rec
	}
	rec, err := s.viewLocked()
	if err != nil {
		s.change.Edits = slices.DeleteFunc(s.change.Edits, func(e store.Edit) bool { return e.Op == store.Add })
		rec, _ = s.viewLocked()
	}
	return rec
}

// clientMustKnow reports whether the change makes a token, or moves the cookie's own end.
func (s *Session) clientMustKnow() bool {
	c := &s.change
	return c.Created || c.Renews() || c.Persistent != nil || c.Lifetime != 0
}

func (s *Session) commitFailedLocked(err error) error {
	onlyTouches, made := s.change.OnlyTouches(), s.change.Created
	gone := errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrRetired)
	var edit *store.EditError
	switch {
	case gone:
		// Whatever was to be told about the token is void: another request's word counts.
		s.endedLocked(tellNothing)
		err = fromStore(err)
	case errors.Is(err, store.ErrConflict), errors.As(err, &edit):
		return fromStore(err)
	default:
		s.failLocked("committing", err)
		err = s.err
		if made {
			s.tell = tellToken // should Reload find that it was stored
		}
	}
	if onlyTouches {
		return nil // who only read has lost nothing
	}
	s.lost = err
	return err
}
