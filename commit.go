package session

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/lazysession/session/internal/usage"
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
	v := s.visitLocked()
	if v.state == untouched && !s.in(closed|refused) {
		return nil // and stays so
	}
	err := v.ready(ctx)
	if err == nil {
		err = v.commit(ctx)
	}
	v.settle(operation{kind: commit}, err)
	return err
}

// commit sends the change to the store, if there is one, and takes the record from there.
func (v *visit) commit(ctx context.Context) error {
	v.touch(store.InstantOf(v.s.m.now()))
	return v.send(ctx)
}

// commitQuietly commits and needs no record back. The session goes on with what this request knows, unless the
// cookie is about to be made of it: that has to tell what other requests have changed.
func (v *visit) commitQuietly() error {
	if v.change.IsZero() {
		return nil
	}
	v.change.NoRecord = v.action == keepToken && !v.clientMustKnow()
	err := v.send(v.s.ctx)
	v.change.NoRecord = false
	return err
}

// touch adds to the change that the session was used, where that is due.
func (v *visit) touch(at store.Instant) {
	if v.state == live && at.Sub(v.rec.LastSeen) >= usage.Pause(v.rec.IdleTimeout) {
		v.change.Touched = true
	}
}

var errPanicked = errors.New("the store panicked")

// send sends the change. A store that panics leaves its outcome unknown: the change is not sent again if the
// handler recovers.
func (v *visit) send(ctx context.Context) error {
	if v.change.IsZero() {
		return nil
	}
	id := v.change.ID
	if v.state == live {
		id = v.rec.ID
	}
	returned := false
	defer func() {
		if !returned {
			v.noteFailure(operation{kind: commit}, v.commitFailed(ctx, errPanicked))
		}
	}()
	rec, err := v.s.m.commit(ctx, v.hash, id, &v.change)
	returned = true
	if err != nil {
		return v.commitFailed(ctx, err)
	}
	if rec == nil && !v.s.in(closed) { // after the request no record is needed
		rec = v.ownView(store.InstantOf(v.s.m.now()))
	}
	v.goOnWith(rec)
	return nil
}

// goOnWith goes on after a commit with the record that it left, nil for the one that was there.
func (v *visit) goOnWith(rec *store.Record) {
	if v.clientMustKnow() {
		v.action = sendToken
	}
	if v.change.Renews() {
		v.signed, v.raw, v.hash = "", v.next, v.change.RenewTo
	}
	if rec == nil {
		rec = v.rec
	}
	v.made = v.made || v.change.Created
	v.state = live
	v.committed(rec)
	v.madeGood(operation{kind: commit})
}

// clientMustKnow reports whether the change makes a token, or moves the cookie's own end.
func (v *visit) clientMustKnow() bool {
	c := &v.change
	return c.Created || c.Renews() || c.Persistent != nil || c.Lifetime != 0
}

// commitFailed judges the error of a commit, and returns what is left of it: nothing, where only the sign of use was
// lost, or where the changes turn out to be stored.
func (v *visit) commitFailed(ctx context.Context, err error) error {
	mutates := v.change.Mutates()
	var edit *store.EditError
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrRetired):
		v.endedElsewhere(fromStore(err))
	case errors.Is(err, store.ErrConflict), errors.As(err, &edit):
		return fromStore(err) // the change stays, and may be mended
	default:
		return v.outcomeUnknown(ctx, err)
	}
	if !mutates {
		return nil // a request that only read has lost nothing
	}
	return fromStore(err)
}

// endedElsewhere goes on after the store no longer has the session. This request tells the client nothing about the
// token: the request that ended or renewed the session has done so.
func (v *visit) endedElsewhere(err error) {
	v.lose(err)
	v.markEnded(keepToken)
}

// drop forgets the change of a response that is refused. A session that was to be made is not.
func (v *visit) drop() {
	v.forget()
	if v.state == fresh {
		v.state = absent
	}
}

// outcomeUnknown goes on after a commit that may have been made or not. Where it renews, the client could be left with
// a token that is dead: one load finds out whether the new one is live. A commit is one step, so then all of it was
// made. Where the load fails as well, the client gets the new token.
func (v *visit) outcomeUnknown(ctx context.Context, err error) error {
	mutates, renews, creates := v.change.Mutates(), v.change.Renews(), v.change.Created
	if renews && !creates {
		rec, loadErr := v.askForRenewal(ctx, err)
		if loadErr == nil {
			v.goOnWith(rec)
			return nil
		}
		v.unsure = !errors.Is(loadErr, store.ErrNotFound)
	}
	v.fail("committing", err)
	v.lost = v.unavailable
	if creates || v.unsure {
		v.action = sendToken // of a new session only if Reload finds it
	}
	if !mutates {
		return nil
	}
	return v.unavailable
}

// askForRenewal returns the record of the new token, if the renewal was made. A store that has panicked is not asked.
func (v *visit) askForRenewal(ctx context.Context, why error) (*store.Record, error) {
	if errors.Is(why, errPanicked) {
		return nil, why
	}
	return v.s.m.load(ctx, v.change.RenewTo)
}

// commitBeforeResponse commits the session before its response begins, and reports whether it was used. A response with
// a status of success is refused where an operation has failed and was not made good: nothing is committed then.
func (s *Session) commitBeforeResponse(status int) (wasUsed bool, err error) {
	if s.phase.Or(sealed)&used == 0 {
		return false, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase.And(^used) // so that commitLast sees a later use
	v := s.visit
	if v == nil {
		return false, nil
	}
	if status < http.StatusBadRequest {
		err = v.overlooked()
	}
	if err == nil {
		err = v.commitOrConfirm()
	}
	v.decided = true // not before: when a store panics and somebody recovers, the response is still to begin
	if err != nil {  // what is refused must not be committed later
		v.drop()
	}
	return v.state != untouched || err != nil, err
}

// commitOrConfirm commits what is left. Where nothing is, and the client is to get a token, it makes sure that the
// session has not ended since the commit that made or moved it: no response brings back the cookie of one that has.
func (v *visit) commitOrConfirm() error {
	v.touch(v.at)
	if v.change.IsZero() {
		if v.state == live && v.action == sendToken && !v.made {
			v.confirm()
		}
		return nil
	}
	return v.commitQuietly()
}

// confirm ends a session that the store no longer has. A store that does not answer changes nothing: the token was
// live when it was last asked.
func (v *visit) confirm() {
	err := v.loadAgain(v.s.ctx)
	if err != nil && !errors.Is(err, ErrEnded) {
		v.s.m.log.LogAttrs(v.s.ctx, slog.LevelError, "session: confirming a session", slog.Any("error", err))
	}
}

// commitChangesOfOnError commits what OnError has changed: a message for the next page, say.
func (s *Session) commitChangesOfOnError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.visit.commitQuietly()
}

// closeUnused closes a session that was not used since the response began, or not at all. It has nothing to commit, and
// nothing to tell the client.
func (s *Session) closeUnused() bool {
	now := s.phase.Load()
	return now&used == 0 && s.phase.CompareAndSwap(now, now|closed)
}

// commitLast commits what came after the response had begun. The same step closes the session: a change by a goroutine
// that has outlived the handler is committed here, or refused.
func (s *Session) commitLast() error {
	if now := s.phase.Or(closed); now&used == 0 || now&refused != 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.visit
	if v == nil || v.state == untouched {
		return nil
	}
	v.touch(store.InstantOf(s.m.now()))
	return v.commitQuietly()
}
