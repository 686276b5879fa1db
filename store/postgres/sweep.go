package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lazysession/session/store"
)

// The index on due finds expired rows. The sweeper doesn't look at a row before its due. Due is set when the session is
// created, and touches don't change it. An index on the exact end would make each touch write to every index of the
// table, since an update of an indexed column can't be a HOT update (measured: of 100 touches none was HOT, WAL
// doubled, and the index grew by 33 bytes per touch). So the sweeper finds a few rows that are due but live, and sets
// their due to their present end. That is one write in each idle timeout, instead of one for each touch. Due is rounded
// up to the second, so that the index has many rows under one key.
//
// Removed rows stay in the index until a vacuum removes them, which can't happen while an older transaction is open. If
// each batch had its own search from the beginning, each search would read all of these rows. So one search finds many
// rows, and the next search begins where it ended.
const dueSQL = `SELECT s.id, s.due FROM {{sessions}} s WHERE s.due < now() AND s.due >= $1 ORDER BY s.due LIMIT $2`

// sweepSQL removes the expired rows of a batch and sets the due of the live ones. With SKIP LOCKED it doesn't wait for
// rows in use, and other statements wait for it only if they use a row that it removes. The advisory lock lets one
// server sweep at a time. Other servers do nothing.
var sweepSQL = `WITH mine AS (SELECT pg_try_advisory_xact_lock(hashtextextended($4, 0)) AS ok),
batch AS (
	SELECT s.id, (` + live + `) AS alive FROM {{sessions}} s
	WHERE s.id = ANY ($1::uuid[]) AND (SELECT ok FROM mine) FOR UPDATE SKIP LOCKED
), kept AS (
	UPDATE {{sessions}} s SET due = ` + dueAt(end) + `
	FROM batch WHERE s.id = batch.id AND batch.alive RETURNING s.id
), gone AS (
	DELETE FROM {{sessions}} s USING batch WHERE s.id = batch.id AND NOT batch.alive RETURNING s.id, ` + toldOwner + `
), told AS (SELECT gone.id, gone.owner, pg_notify($2, $3 || gone.id || ' ' || gone.owner) FROM gone)
SELECT (SELECT ok FROM mine), told.id, told.owner FROM (SELECT) AS once LEFT JOIN told ON true`

// dueAt returns the expression for the due of a row with an end.
func dueAt(end string) string { return "date_trunc('second', " + end + ") + interval '1 second'" }

const (
	sweepBatch = 1000 // rows: some milliseconds of work
	sweepAhead = 50   // batches that one search finds
	sweepPause = 5 * time.Second
	// sweepAgain is how long searches begin where the last one ended. Then one begins at the beginning. It finds rows that
	// were in use before, and rows whose due was set to a time that had been searched.
	sweepAgain = time.Minute
	// sweepTime limits a batch. If the network drops everything silently, nothing else ends it.
	sweepTime = 10 * time.Second
)

// Sweep removes a batch of expired sessions and old retired tokens. It gives up after 10 seconds.
func (s *Store) Sweep(ctx context.Context) (next time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.sweepTime)
	defer cancel()
	more, err := s.sweepDue(ctx)
	if err != nil {
		return 0, fmt.Errorf("postgres: sweep: %w", err)
	}
	if more {
		return 0, nil
	}
	if _, err := s.db.exec(ctx, statement{sql: s.sql.forget}); err != nil {
		return 0, fmt.Errorf("postgres: sweep of retired tokens: %w", err)
	}
	return sweepPause, nil
}

// sweepDue removes a batch of expired sessions, and reports whether there are more.
func (s *Store) sweepDue(ctx context.Context) (more bool, err error) {
	ids := s.backlog.take()
	if ids == nil {
		if err := s.findDue(ctx); err != nil {
			return false, err
		}
		if ids = s.backlog.take(); ids == nil {
			return false, nil
		}
	}
	mine, gone, err := s.sweepBatch(ctx, ids)
	if err != nil || !mine {
		s.backlog.forget()
		return false, err
	}
	s.tell(gone)
	return s.backlog.more(), nil
}

// findDue searches for rows that are due.
func (s *Store) findDue(ctx context.Context) error {
	const most = sweepAhead * sweepBatch
	var ids []pgtype.UUID
	var due time.Time
	search := statement{sql: s.sql.due, args: []any{s.backlog.begin(), most}}
	err := s.db.query(ctx, search, func(rows pgx.Rows) error {
		for rows.Next() {
			var id pgtype.UUID
			if err := rows.Scan(&id, &due); err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	})
	if err == nil {
		s.backlog.found(ids, due, len(ids) == most)
	}
	return err
}

// sweepBatch removes those sessions of a batch that have expired, unless another server sweeps.
func (s *Store) sweepBatch(ctx context.Context, ids []pgtype.UUID) (mine bool, gone []store.Event, err error) {
	args := []any{ids, s.channel(), head(store.Ended, store.Expired), s.lockName("sweep")}
	st := statement{sql: s.sql.sweep, args: args, events: true}
	gone, err = collect(ctx, &s.db, st, func(row pgx.CollectableRow) (store.Event, error) {
		var id pgtype.UUID
		var owner pgtype.Text
		err := row.Scan(&mine, &id, &owner)
		return store.Event{Kind: store.Ended, ID: id.Bytes, Owner: owner.String, Reason: store.Expired}, err
	})
	return mine, slices.DeleteFunc(gone, func(e store.Event) bool { return e.ID.IsZero() }), err
}
