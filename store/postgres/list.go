package postgres

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lazysession/session/store"
)

// A list is read in pages, in the order of the ids. A single long statement would hold a connection while the loop
// runs. As many loops as there are connections would then wait for each other for ever, if their bodies use the store.
// And PostgreSQL couldn't remove the old versions of touched rows meanwhile. Only one page is in memory at a time.
const listPage = 100

var listSQL = `SELECT ` + namesOf(listed) + `
FROM {{sessions}} s WHERE s.id > $1 AND ` + live + ` ORDER BY s.id LIMIT $2`

// OFFSET 0 keeps the planner from reading the sessions of all owners in the order of their ids.
var listOwnerSQL = `SELECT ` + namesOf(listed) + ` FROM (
	SELECT * FROM {{sessions}} s WHERE s.id > $1 AND s.owner = $3 AND s.owner <> '' AND ` + live + ` OFFSET 0
) s ORDER BY s.id LIMIT $2`

// List yields the live records that a filter names. A damaged row is logged and left out, so that one session can't
// hide all others.
func (s *Store) List(ctx context.Context, f store.Filter) iter.Seq2[*store.Record, error] {
	return func(yield func(*store.Record, error) bool) {
		if !f.All && f.Owner == "" {
			return
		}
		for after, more := (store.ID{}), true; more; {
			page, last, err := s.page(ctx, f, after)
			if err != nil {
				yield(nil, fmt.Errorf("postgres: list: %w", err))
				return
			}
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
			}
			after, more = last, !last.IsZero()
		}
	}
}

// page returns the sound records of a page, and the id of its last row. The id is zero if there are no more pages.
func (s *Store) page(
	ctx context.Context, f store.Filter, after store.ID,
) (page []*store.Record, last store.ID, err error) {
	sql, args := s.sql.list, []any{binaryResults, uuid(after), listPage}
	if !f.All {
		sql, args = s.sql.listOwner, append(args, f.Owner)
	}
	sent := store.InstantOf(time.Now())
	n := 0
	err = s.db.query(ctx, statement{sql: sql, args: args}, func(rows pgx.Rows) error {
		for ; rows.Next(); n++ {
			r, err := readRow(rows)
			if err != nil {
				return err
			}
			last = r.id
			if rec := s.soundRecord(ctx, r, sent); rec != nil {
				page = append(page, rec)
			}
		}
		return nil
	})
	if n < listPage {
		last = store.ID{}
	}
	return page, last, err
}

// soundRecord returns a row as record does, but nil if it is damaged.
func (s *Store) soundRecord(ctx context.Context, r *row, asked store.Instant) *store.Record {
	rec, err := s.record(r, asked)
	if err != nil {
		s.log.LogAttrs(ctx, slog.LevelError, "postgres: damaged row left out of a list", slog.Any("error", err))
		return nil
	}
	return rec
}
