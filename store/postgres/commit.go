package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lazysession/session/store"
)

// Commit applies a change in one statement. PostgreSQL locks the row, so the change is atomic, and it is applied to
// what the row holds at that moment. A change under an owner's limit also concerns other rows, so it takes the owner's
// lock first, in the same round trip.
func (s *Store) Commit(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
	if c.Created && (c.IdleTimeout <= 0 || c.Lifetime <= 0) {
		return nil, errors.New("postgres: a new record needs an idle timeout and a lifetime")
	}
	if c.Created && (expects(c) || c.RenewTo == token) {
		return nil, store.ErrConflict // there is nothing yet that could be as expected, or be replaced by itself
	}
	if c.IsZero() {
		return s.unchanged(ctx, token, c)
	}
	if c.Created {
		s.births.begin(c.ID)
		defer s.births.end(c.ID)
	}
	r, err := s.commit(ctx, token, c)
	if err != nil && patient(ctx) && s.mayTryAgain(ctx, err, token, c) {
		r, err = s.commit(ctx, token, c)
	}
	if err != nil {
		return nil, s.whyNot(ctx, token, c, err)
	}
	if r == nil {
		return nil, nil
	}
	s.tellCommit(r, c)
	return r.record(s.skew.last())
}

// whyNot returns the error of a commit that PostgreSQL refused or whose outcome is unknown.
func (s *Store) whyNot(ctx context.Context, token store.Token, c *store.Change, err error) error {
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return s.refusal(ctx, token, c)
	case hasCode(err, uniqueViolation, exclusionViolation):
		return store.ErrConflict
	case hasCode(err, numericOutOfRange, invalidText):
		return s.wrongAddition(ctx, token, c, err)
	}
	return commitError(err)
}

// expects reports whether a change depends on what the record is like.
func expects(c *store.Change) bool { return c.IfVersion != 0 || c.IfValue != nil }

// unchanged commits an empty change. It reads and writes nothing.
func (s *Store) unchanged(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
	r, err := s.Load(ctx, token)
	if err == nil && !c.Allows(r) {
		return nil, store.ErrConflict
	}
	return r, err
}

// mayTryAgain reports whether a second try of a commit may succeed. PostgreSQL may have undone the first to resolve a
// deadlock, or because of its isolation level. Or the row of an expired session had the token or the ID of a new one;
// mayTryAgain removes such a row.
func (s *Store) mayTryAgain(ctx context.Context, err error, token store.Token, c *store.Change) bool {
	if c.Created && errors.Is(err, pgx.ErrNoRows) {
		args := []any{[][]byte{token[:], c.RenewTo[:]}, uuid(c.ID)}
		lapsed, err := s.db.exec(ctx, statement{sql: s.sql.lapse, args: args})
		return err == nil && lapsed > 0
	}
	return hasCode(err, deadlockDetected, serializationFailure)
}

// commit sends the statement of a change. It returns a nil row if the change doesn't need one.
func (s *Store) commit(ctx context.Context, token store.Token, c *store.Change) (*row, error) {
	st := s.commitStatement(token, c)
	if !needsRow(c) {
		return nil, s.db.changeOne(ctx, st)
	}
	r, err := s.queryCommit(ctx, st, c)
	if err != nil {
		return nil, err
	}
	if c.Renews() {
		token = c.RenewTo
	}
	r.token = token[:]
	return r, nil
}

// commitStatement returns the statement of a change. If it needs the locks of owners, it takes them first.
func (s *Store) commitStatement(token store.Token, c *store.Change) statement {
	b := newBuilder(s.settings)
	b.commit(token, c)
	st := statement{sql: b.sql.String(), args: b.args, events: hasEvents(c), commits: true}
	if limited(c) {
		st.first = s.lockOwners(*c.Owner, token[:])
	}
	return st
}

// queryCommit sends the statement of a change that returns its row, and reports evicted
// sessions to this server's watchers.
func (s *Store) queryCommit(ctx context.Context, st statement, c *store.Change) (*row, error) {
	if !limited(c) {
		return s.db.row(ctx, st)
	}
	var evicted []pgtype.UUID
	r, err := s.db.row(ctx, st, &evicted)
	if err != nil {
		return nil, err
	}
	gone := make([]store.Event, len(evicted))
	for i, id := range evicted {
		gone[i] = store.Event{Kind: store.Ended, ID: id.Bytes, Owner: *c.Owner, Reason: store.Evicted}
	}
	s.tell(gone)
	return r, nil
}

// refusal returns why no row was changed.
func (s *Store) refusal(ctx context.Context, token store.Token, c *store.Change) error {
	if c.Created {
		return store.ErrConflict
	}
	_, err := s.Load(ctx, token)
	switch {
	case err != nil:
		return err
	case expects(c):
		return store.ErrConflict
	}
	return store.ErrNotFound // it ended in between
}

// wrongAddition returns which addition failed. PostgreSQL's error doesn't name it.
func (s *Store) wrongAddition(ctx context.Context, token store.Token, c *store.Change, cause error) error {
	rec, err := s.Load(ctx, token)
	if err != nil {
		return err
	}
	var edit *store.EditError
	if _, err := c.Apply(rec, rec.LastSeen); errors.As(err, &edit) {
		return edit
	}
	return fmt.Errorf("postgres: commit: %w", cause)
}
