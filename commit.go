package session

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

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
	if s.state == untouched && !s.in(closed|refused) {
		return nil // and stays so
	}
	err := s.readyLocked(ctx)
	if err == nil {
		err = s.commitLocked(ctx)
	}
	s.settleLocked(operation{kind: commit}, err)
	return err
}

// commitLocked sends the change to the store, if there is one, and takes the record from there.
func (s *Session) commitLocked(ctx context.Context) error {
	s.touchLocked(store.InstantOf(s.m.now()))
	return s.sendLocked(ctx)
}

// commitQuietlyLocked commits and needs no record back. The session goes on with what this request knows, unless the
// cookie is about to be made of it: that has to tell what other requests have changed.
func (s *Session) commitQuietlyLocked() error {
	if s.change.IsZero() {
		return nil
	}
	s.change.NoRecord = s.action == keepToken && !s.clientMustKnow()
	err := s.sendLocked(s.ctx)
	s.change.NoRecord = false
	return err
}

// touchLocked adds to the change that the session was used, where that is due.
func (s *Session) touchLocked(at store.Instant) {
	if s.state == live && s.rec.TouchDue(at) {
		s.change.Touched = true
	}
}

var errPanicked = errors.New("the store panicked")

// sendLocked sends the change. A store that panics leaves its outcome unknown: it is not sent again, should somebody
// recover.
func (s *Session) sendLocked(ctx context.Context) error {
	if s.change.IsZero() {
		return nil
	}
	id := s.change.ID
	if s.state == live {
		id = s.rec.ID
	}
	returned := false
	defer func() {
		if !returned {
			s.failureLocked(operation{kind: commit}, s.commitFailedLocked(ctx, errPanicked))
		}
	}()
	rec, err := s.m.commit(ctx, s.hash, id, &s.change)
	returned = true
	if err != nil {
		return s.commitFailedLocked(ctx, err)
	}
	if rec == nil && !s.in(closed) { // once the request is over nobody looks
		rec = s.ownView(store.InstantOf(s.m.now()))
	}
	s.committedLocked(rec)
	return nil
}

// committedLocked goes on after a commit with the record that it left, nil for the one that was there.
func (s *Session) committedLocked(rec *store.Record) {
	if s.clientMustKnow() {
		s.action = sendToken
	}
	if s.change.Renews() {
		s.signed, s.raw, s.hash = "", s.next, s.change.RenewTo
	}
	if rec == nil {
		rec = s.rec
	}
	s.made = s.made || s.change.Created
	s.state = live
	s.committed(rec)
	s.madeGoodLocked(operation{kind: commit})
}

// clientMustKnow reports whether the change makes a token, or moves the cookie's own end.
func (s *Session) clientMustKnow() bool {
	c := &s.change
	return c.Created || c.Renews() || c.Persistent != nil || c.Lifetime != 0
}

// commitFailedLocked judges the error of a commit, and returns what is left of it: nothing, where only the sign of use was
// lost, or where the changes turn out to be stored.
func (s *Session) commitFailedLocked(ctx context.Context, err error) error {
	mutates := s.change.Mutates()
	var edit *store.EditError
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrRetired):
		// Whatever was to be told about the token is void: another request's word counts.
		s.markEndedLocked(keepToken)
	case errors.Is(err, store.ErrConflict), errors.As(err, &edit):
		return fromStore(err) // the change stays, and may be mended
	default:
		return s.outcomeUnknownLocked(ctx, err)
	}
	if !mutates {
		return nil // a request that only read has lost nothing
	}
	return fromStore(err)
}

// outcomeUnknownLocked goes on after a commit that may have been made or not. Where it renews, the client could be left
// with a token that is dead: one load finds out whether the new one is live. A commit is one step, so then all of it was
// made. Where the load fails as well, the client gets the new token.
func (s *Session) outcomeUnknownLocked(ctx context.Context, err error) error {
	mutates, renews, creates := s.change.Mutates(), s.change.Renews(), s.change.Created
	if renews && !creates {
		rec, loadErr := s.askForRenewalLocked(ctx, err)
		if loadErr == nil {
			s.committedLocked(rec)
			return nil
		}
		s.unsure = !errors.Is(loadErr, store.ErrNotFound)
	}
	s.failLocked("committing", err)
	if creates || s.unsure {
		s.action = sendToken // of a new session only if Reload finds it
	}
	if !mutates {
		return nil
	}
	return s.unavailable
}

// askForRenewalLocked returns the record of the new token, if the renewal was made. A store that has panicked is not asked.
func (s *Session) askForRenewalLocked(ctx context.Context, why error) (*store.Record, error) {
	if errors.Is(why, errPanicked) {
		return nil, why
	}
	return s.m.load(ctx, s.change.RenewTo)
}

// commitBeforeResponse commits the session before its response begins, and reports whether it was used. A response with
// a status of success is refused where an operation has failed and was not made good: nothing is committed then.
func (s *Session) commitBeforeResponse(status int) (wasUsed bool, err error) {
	if s.phase.Or(sealed)&used == 0 {
		return false, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase.And(^used) // so that commitLast sees whether somebody comes after
	if s.details == nil {
		return false, nil
	}
	if status < http.StatusBadRequest {
		err = s.overlookedLocked()
	}
	if err == nil {
		err = s.commitOrConfirmLocked()
	}
	if err != nil {
		s.forget() // what is refused must not be committed later
	}
	return s.state != untouched || err != nil, err
}

// commitOrConfirmLocked commits what is left. Where nothing is, and the client is to get a token, it makes sure that the
// session has not ended since the commit that made or moved it: no response brings back the cookie of one that has.
func (s *Session) commitOrConfirmLocked() error {
	s.touchLocked(s.at)
	if s.change.IsZero() {
		if s.state == live && s.action == sendToken && !s.made && !s.several {
			s.confirmLocked()
		}
		return nil
	}
	return s.commitQuietlyLocked()
}

// confirmLocked ends a session that the store no longer has. A store that does not answer changes nothing: the token was
// live when it was last asked.
func (s *Session) confirmLocked() {
	err := s.loadAgainLocked(s.ctx)
	if err != nil && !errors.Is(err, ErrEnded) {
		s.m.log.LogAttrs(s.ctx, slog.LevelError, "session: confirming a session", slog.Any("error", err))
	}
}

// commitChangesOfOnError commits what OnError has changed: a message for the next page, say.
func (s *Session) commitChangesOfOnError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commitQuietlyLocked()
}

// closeUnused closes the session if nobody has used it since the response began, or at all: there is nothing to commit,
// and nothing to tell the client.
func (s *Session) closeUnused() bool {
	now := s.phase.Load()
	return now&used == 0 && s.phase.CompareAndSwap(now, now|closed)
}

// commitLast commits what came after the response had begun. It closes the session in the same breath: a change by a
// goroutine that has outlived the handler is committed here, or refused.
func (s *Session) commitLast() error {
	if now := s.phase.Or(closed); now&used == 0 || now&refused != 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.details == nil || s.state == untouched {
		return nil
	}
	s.touchLocked(store.InstantOf(s.m.now()))
	return s.commitQuietlyLocked()
}
