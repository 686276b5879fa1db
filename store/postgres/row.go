package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lazysession/session/store"
)

// A row is a session as it comes from the database. Its times are the database's.
//
// A new column needs a file in migrations, a field here, an entry in facts (column.go), a line in record below, and
// an assignment in builder.insert and builder.assign (build.go).
type row struct {
	created, lapses, ends store.Instant
	idle                  int64 // microseconds
	id                    store.ID
	version               uint32
	persistent            bool
	owner                 string
	labels, data          string
	now                   store.Instant
	token                 []byte
}

// binaryResults is a first argument that asks pgx for results in binary.
var binaryResults any = pgx.QueryResultFormats{pgx.BinaryFormatCode}

// row returns the one row of a statement, or pgx.ErrNoRows. Columns after its own are read into more.
func (d *db) row(ctx context.Context, st statement, more ...any) (r *row, err error) {
	err = d.query(ctx, st, func(rows pgx.Rows) (err error) {
		if rows.Next() {
			r, err = readRow(rows, more...)
		}
		return err
	})
	if err == nil && r == nil {
		err = pgx.ErrNoRows
	}
	return r, err
}

// changeOne sends a statement that changes one row, or returns pgx.ErrNoRows.
func (d *db) changeOne(ctx context.Context, st statement) error {
	changed, err := d.exec(ctx, st)
	if err == nil && changed == 0 {
		return pgx.ErrNoRows
	}
	return err
}

// uuid returns an argument with its type. Behind a pooler no statement is prepared, so pgx needs the type.
func uuid(id store.ID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }

const longest = math.MaxInt64 / int64(time.Microsecond) // as far as a time.Duration goes

// duration returns a number of microseconds, or the longest duration, since PostgreSQL's sum can exceed it by one
// microsecond.
func duration(microseconds int64) time.Duration {
	return time.Duration(min(microseconds, longest)) * time.Microsecond
}

// expired reports whether the session had ended by the database's clock when the row was read.
func (r *row) expired() bool {
	return r.now >= min(r.lapses, r.ends)
}

// record returns the row as a Record, with its times translated by ahead to this server's clock.
func (r *row) record(ahead time.Duration) (*store.Record, error) {
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("postgres: session %v: %w", r.id, err)
	}
	values, err := readData(r.data)
	if err != nil {
		return nil, fmt.Errorf("postgres: session %v: %w", r.id, err)
	}
	labels, err := readLabels(r.labels)
	if err != nil {
		return nil, fmt.Errorf("postgres: session %v: %w", r.id, err)
	}
	idle := duration(r.idle)
	return &store.Record{
		Token:       store.Token(r.token),
		ID:          r.id,
		Version:     r.version,
		Persistent:  r.persistent,
		Created:     r.created.Add(ahead),
		LastSeen:    r.lapses.Add(-idle).Add(ahead),
		IdleTimeout: idle,
		Lifetime:    duration(int64(r.ends - r.created)),
		Owner:       r.owner,
		Labels:      labels,
		Values:      values,
	}, nil
}

// check returns an error for values that the columns' types allow, but the store never writes.
func (r *row) check() error {
	lifetime, seen := int64(r.ends-r.created), int64(r.lapses)-r.idle
	switch {
	case len(r.token) != len(store.Token{}):
		return fmt.Errorf("%w: token of %d bytes", errDamaged, len(r.token))
	case min(r.created, r.lapses, r.ends) < 0: // PostgreSQL's infinity, too, overflows to below zero
		return fmt.Errorf("%w: created %d, lapses %d, ends %d", errDamaged, r.created, r.lapses, r.ends)
	case min(r.idle, lifetime, seen) < 0 || r.idle > longest:
		return fmt.Errorf("%w: idle timeout %d, lifetime %d, last seen %d", errDamaged, r.idle, lifetime, seen)
	}
	return nil
}

func readLabels(doc string) (labels map[string]string, err error) {
	if doc == "{}" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(doc), &labels); err != nil || labels == nil {
		return nil, fmt.Errorf("labels column: %w: want an object of strings: %.60q", errDamaged, doc)
	}
	return labels, nil
}
