package postgres

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lazysession/session/store"
)

// columns are what a row is read from, in the order of readRow. The database's time comes with each row, so that its
// times can be translated to this server's clock.
const columns = "now(), s.created, s.seen, s.idle, s.lifetime, s.id, s.version, s.persistent, s.token, s.owner, s.labels, s.data"

// A row is a session as it comes from the database. Its times are the database's.
type row struct {
	sent               store.Instant // by this server's clock: when the statement was
	now, created, seen store.Instant
	idle, lifetime     time.Duration
	id                 store.ID
	version            uint32
	persistent         bool
	token              store.Token
	tokenSize          int
	owner              string
	labels, data       string
}

// A sender is a pool or a transaction.
type sender interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// queryRow returns the one row of a statement, or pgx.ErrNoRows.
func queryRow(ctx context.Context, q sender, sql string, args ...any) (*row, error) {
	sent := store.InstantOf(time.Now())
	rows, err := query(ctx, q, sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if !rows.Next() {
		rows.Close() // Err knows of the end of the statement only after it
		if err := rows.Err(); err != nil {
			return nil, err
		}
		return nil, pgx.ErrNoRows
	}
	r, err := readRow(rows, sent)
	rows.Close()
	return r, errors.Join(rows.Err(), err)
}

// query asks for binary results, which readRow reads without reflection.
func query(ctx context.Context, q sender, sql string, args ...any) (pgx.Rows, error) {
	binaryResults := pgx.QueryResultFormats{pgx.BinaryFormatCode}
	return q.Query(ctx, sql, append([]any{binaryResults}, args...)...)
}

// readRow reads the present row. Behind a pooler (default_query_exec_mode=exec) pgx asks for texts all the same.
func readRow(rows pgx.Rows, sent store.Instant) (r *row, err error) {
	if rows.FieldDescriptions()[0].Format == pgx.BinaryFormatCode {
		r, err = readBinary(rows.RawValues())
	} else {
		r, err = readText(rows)
	}
	if err != nil {
		return nil, err
	}
	r.sent = sent
	return r, nil
}

// readText reads the columns in whatever format they have.
func readText(rows pgx.Rows) (*row, error) {
	var (
		r                       row
		now, created, seen      time.Time
		idle, lifetime, version int64
		id                      [16]byte
		token                   []byte
	)
	err := rows.Scan(&now, &created, &seen, &idle, &lifetime, &id, &version, &r.persistent, &token, &r.owner, &r.labels, &r.data)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w: %w", errDamaged, err)
	}
	r.now, r.created, r.seen = store.InstantOf(now), store.InstantOf(created), store.InstantOf(seen)
	r.idle, r.lifetime = time.Duration(idle)*time.Microsecond, time.Duration(lifetime)*time.Microsecond
	r.id, r.version = id, uint32(version)
	r.setToken(token)
	return &r, nil
}

// widths are how long the columns are in PostgreSQL's binary formats; 0: of any length.
var widths = []int{8, 8, 8, 8, 8, len(store.ID{}), 4, 1, 0, 0, 0, 0}

// readBinary reads the columns in PostgreSQL's binary formats. The row keeps nothing of raw.
func readBinary(raw [][]byte) (*row, error) {
	for i, width := range widths {
		if raw[i] == nil || width != 0 && len(raw[i]) != width {
			return nil, fmt.Errorf("postgres: %w: column %d has %d bytes", errDamaged, i, len(raw[i]))
		}
	}
	r := &row{
		now:        instant(raw[0]),
		created:    instant(raw[1]),
		seen:       instant(raw[2]),
		idle:       time.Duration(bigint(raw[3])) * time.Microsecond,
		lifetime:   time.Duration(bigint(raw[4])) * time.Microsecond,
		id:         store.ID(raw[5]),
		version:    binary.BigEndian.Uint32(raw[6]),
		persistent: raw[7][0] != 0,
		owner:      string(raw[9]),
		labels:     jsonb(raw[10]),
		data:       jsonb(raw[11]),
	}
	r.setToken(raw[8])
	return r, nil
}

func (r *row) setToken(token []byte) {
	r.tokenSize = len(token)
	copy(r.token[:], token)
}

// uuid is an argument that says of what type it is, which counts behind a pooler: there nothing is prepared.
func uuid(id store.ID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }

func bigint(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) }

// instant reads a timestamptz: microseconds since the year 2000.
func instant(b []byte) store.Instant {
	const unix2000 = 946_684_800_000_000
	return store.Instant(bigint(b) + unix2000)
}

// jsonb reads a jsonb: a version, and the document's text.
func jsonb(b []byte) string { return string(b[min(1, len(b)):]) }

// expired reports whether the session had ended by the database's clock when the row was read.
func (r *row) expired() bool {
	return r.now >= r.seen.Add(r.idle) || r.now >= r.created.Add(r.lifetime)
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
	return &store.Record{
		Token:       r.token,
		ID:          r.id,
		Version:     r.version,
		Persistent:  r.persistent,
		Created:     r.created.Add(ahead),
		LastSeen:    r.seen.Add(ahead),
		IdleTimeout: r.idle,
		Lifetime:    r.lifetime,
		Owner:       r.owner,
		Labels:      labels,
		Values:      values,
	}, nil
}

// check finds what no column's type rules out. The times that PostgreSQL calls infinite overflow to below zero.
func (r *row) check() error {
	switch {
	case r.tokenSize != len(r.token):
		return fmt.Errorf("%w: token of %d bytes", errDamaged, r.tokenSize)
	case r.created < 0 || r.seen < 0:
		return fmt.Errorf("%w: created %d, seen %d", errDamaged, r.created, r.seen)
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

// A skew is how far this server's clock is ahead of the database's, in whole seconds: times translated by it can be
// compared with time.Now. It moves only when it is clearly off, so that a time reads the same whenever it is read.
type skew struct{ seconds atomic.Int64 }

// by returns the skew, given that the database's clock showed now at some time between two of this server's. However
// long a statement waited for a lock, or a loop over its rows took, that alone moves nothing.
func (k *skew) by(now, sent, received store.Instant) time.Duration {
	const grain = 1500 * time.Millisecond
	kept := time.Duration(k.seconds.Load()) * time.Second
	least, most := sent.Sub(now), received.Sub(now)
	if kept < least-grain || kept > most+grain {
		kept = least.Round(time.Second)
		k.seconds.Store(int64(kept / time.Second))
	}
	return kept
}
