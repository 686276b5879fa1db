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

// The index on due finds expired rows. Due is the time before which the sweeper doesn't look at the row. It is set when
// the session is created, and touches don't move it: an index on the exact end would make each touch write to every
// index of the table, since no update of an indexed column can stay within its page (measured: no touch of 100 did, WAL
// doubled, and the index grew by 33 bytes a touch). So the sweeper finds a few rows that are due but live, and moves
// their due to their present end: one such write in each idle timeout, instead of one for each touch. Due is rounded up
// to the second, so that the index keeps many rows under one key.
//
// Removed rows stay in the index until PostgreSQL cleans up, which it can't do while an older transaction is open. A
// search from the beginning for each batch would read all of them each time. So one search finds many rows, and the
// next one begins where it ended.
const dueSQL = `SELECT s.id, s.due FROM {{sessions}} s WHERE s.due < now() AND s.due >= $1 ORDER BY s.due LIMIT $2`

// One statement does the rest. With SKIP LOCKED it doesn't wait for rows in use, and other statements wait for it only
// if they use a row that it removes. The advisory lock lets one server sweep at a time; the others do nothing.
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

// dueAt is when the sweeper looks at a row that ends at a time.
func dueAt(end string) string { return "date_trunc('second', " + end + ") + interval '1 second'" }

const (
	sweepBatch = 1000 // rows: some milliseconds of work
	sweepAhead = 50   // batches that one search finds
	sweepPause = 5 * time.Second
	// sweepAgain is how long searches begin where the last one ended. Then one begins anew, to find rows that were in use
	// before, or whose due was moved to a time that had been searched.
	sweepAgain = time.Minute
	// sweepTime limits a batch. Nothing else would end it where the network drops everything silently.
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
	st := statement{sql: s.sql.sweep, args: args, tells: true}
	gone, err = collect(ctx, &s.db, st, func(row pgx.CollectableRow) (store.Event, error) {
		var id pgtype.UUID
		var owner pgtype.Text
		err := row.Scan(&mine, &id, &owner)
		return store.Event{Kind: store.Ended, ID: id.Bytes, Owner: owner.String, Reason: store.Expired}, err
	})
	return mine, slices.DeleteFunc(gone, func(e store.Event) bool { return e.ID.IsZero() }), err
}
