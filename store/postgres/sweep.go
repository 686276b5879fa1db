package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/lazysession/session/store"
)

// How expired rows are found: by the index on due, a time at which the row is looked at and no sooner. It is set when
// the session is made and not moved by touches: an index on the exact end would make each touch write to every index of
// the table, since no update of an indexed column can stay within its page (measured: no touch of 100 did, WAL doubled,
// and the index grew by 33 bytes a touch). So the sweeper finds a few rows that are due but alive, and moves their due
// to their present end: one such write for an idle timeout, instead of one for each touch. Due is cut to the second, up,
// so that the index keeps many rows under one key.
//
// One statement does it all. SKIP LOCKED: a row that is in use is not waited for, and nobody waits for the sweeper but
// who wants a row which is gone. The advisory lock lets one server at a time do it; the others find nothing to do.
var sweepSQL = `WITH mine AS (SELECT pg_try_advisory_xact_lock(hashtextextended($4, 0)) AS ok),
batch AS (
	SELECT s.id, (` + live + `) AS alive FROM {{sessions}} s
	WHERE s.due < now() AND (SELECT ok FROM mine) ORDER BY s.due LIMIT $1 FOR UPDATE SKIP LOCKED
), kept AS (
	UPDATE {{sessions}} s SET due = ` + dueAt(end) + `
	FROM batch WHERE s.id = batch.id AND batch.alive RETURNING s.id
), gone AS (
	DELETE FROM {{sessions}} s USING batch WHERE s.id = batch.id AND NOT batch.alive RETURNING s.id, s.owner
), told AS (SELECT gone.id, gone.owner, pg_notify($2, $3 || gone.id || ' ' || gone.owner) FROM gone)
SELECT (SELECT count(*) FROM batch), told.id, told.owner FROM (SELECT) AS once LEFT JOIN told ON true`

// dueAt is when the sweeper looks at a row that ends at a time.
func dueAt(end string) string { return "date_trunc('second', " + end + ") + interval '1 second'" }

const (
	sweepBatch = 1000 // rows: some milliseconds of work
	sweepPause = 5 * time.Second
)

// Sweep removes a batch of expired sessions and old retired tokens.
func (s *Store) Sweep(ctx context.Context) (next time.Duration, err error) {
	found, gone, err := s.sweepBatch(ctx)
	if err != nil {
		s.noted(err)
		s.doubt(err)
		return 0, fmt.Errorf("postgres: sweep: %w", err)
	}
	s.tell(gone)
	if found >= sweepBatch {
		return 0, nil
	}
	if _, err := s.pool.Exec(ctx, s.sql.forget); err != nil {
		s.noted(err)
		return 0, fmt.Errorf("postgres: sweep of retired tokens: %w", err)
	}
	return sweepPause, nil
}

func (s *Store) sweepBatch(ctx context.Context) (found int, gone []store.Event, err error) {
	rows, err := s.pool.Query(ctx, s.sql.sweep, sweepBatch, s.channel(), head(store.Ended, store.Expired), s.lockName("sweep"))
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id *[16]byte
		var owner *string
		if err := rows.Scan(&found, &id, &owner); err != nil {
			return 0, nil, err
		}
		if id != nil {
			gone = append(gone, store.Event{Kind: store.Ended, ID: *id, Owner: *owner, Reason: store.Expired})
		}
	}
	return found, gone, rows.Err()
}
