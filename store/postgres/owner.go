package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/lazysession/session/store"
)

// commitLimited commits a change that sets an owner who may have only so many sessions, and ends the oldest of the rest
// in the same transaction.
//
// Advisory locks of the owners before and after come before any row's lock. So who waits for a lock of an owner holds no
// row, and two who come together from opposite sides can't wait for each other.
func (s *Store) commitLimited(ctx context.Context, token store.Token, c *store.Change) (*row, error) {
	before, err := s.ownerNow(ctx, token, c)
	if err != nil {
		return nil, unsent{err}
	}
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return nil, unsent{err}
	}
	defer tx.Rollback(ctx) // after a commit it does nothing
	r, gone, err := s.makeRoom(ctx, tx, token, c, before)
	if err != nil {
		return nil, unsent{err}
	}
	if err := tx.Commit(ctx); err != nil {
		return nil, err
	}
	s.tell(gone)
	return r, nil
}

// makeRoom does the work of commitLimited in its transaction.
func (s *Store) makeRoom(ctx context.Context, tx pgx.Tx, token store.Token, c *store.Change, before string) (*row, []store.Event, error) {
	if _, err := tx.Exec(ctx, s.sql.lockOwners, []string{s.ownerLock(before), s.ownerLock(*c.Owner)}); err != nil {
		return nil, nil, err
	}
	r, err := s.commitOne(ctx, tx, token, c)
	if err != nil {
		return nil, nil, err
	}
	gone, err := s.remove(ctx, tx, s.sql.evict, store.Evicted, *c.Owner, uuid(r.id), c.MaxPerOwner-1)
	return r, gone, err
}

// ownerNow returns whose session it is before the change; nobody's where there is none yet. Should it move to another
// owner until the locks are taken, PostgreSQL still finds a deadlock, undoes one of the two, and Commit tries it again.
func (s *Store) ownerNow(ctx context.Context, token store.Token, c *store.Change) (owner string, err error) {
	if c.Created {
		return "", nil
	}
	err = s.pool.QueryRow(ctx, s.sql.ownerOf, token[:]).Scan(&owner)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil // the commit will say so
	}
	return owner, err
}
