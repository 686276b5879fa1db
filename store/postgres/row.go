package postgres

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lazysession/session/store"
)

// facts are the columns of a session that a statement returns, and each costs it about a hundredth of its time: so a
// commit, which knows the token, returns no more.
const facts = "s.created, s.lapses, s.ends, s.idle, s.id, s.version, s.persistent, s.owner, s.labels, s.data"

// columns are what is read. The database's time comes with each row, so that its times can be translated to this
// server's clock.
const columns = facts + ", now()"

// listColumns are what is read where the token is not known. How a bytea comes as text depends on a setting.
const listColumns = columns + ", encode(s.token, 'hex')"

// A row is a session as it comes from the database. Its times are the database's.
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

// binaryResults is a first argument that asks pgx for what readRow reads without reflection.
var binaryResults any = pgx.QueryResultFormats{pgx.BinaryFormatCode}

// row returns the one row of a statement, or pgx.ErrNoRows. What comes after its columns goes to more.
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

// readRow reads the present row: listColumns, columns, or facts alone, and what comes after them. Behind a pooler
// (default_query_exec_mode=exec) and in a batch, pgx asks for texts all the same.
func readRow(rows pgx.Rows, more ...any) (*row, error) {
	if len(more) == 0 && !slices.ContainsFunc(rows.FieldDescriptions(), isText) {
		return readBinary(rows.RawValues())
	}
	return readText(rows, more)
}

func isText(f pgconn.FieldDescription) bool { return f.Format != pgx.BinaryFormatCode }

// readText reads the columns in whatever format they have.
func readText(rows pgx.Rows, more []any) (*row, error) {
	var (
		r                          row
		now, created, lapses, ends time.Time
		version                    int64
		id                         [16]byte
		token                      string
	)
	into := []any{&created, &lapses, &ends, &r.idle, &id, &version, &r.persistent, &r.owner, &r.labels, &r.data, &now, &token}
	into = append(into[:len(rows.FieldDescriptions())-len(more)], more...)
	if err := rows.Scan(into...); err != nil {
		return nil, fmt.Errorf("postgres: %w: %w", errDamaged, err)
	}
	r.created, r.lapses, r.ends = store.InstantOf(created), store.InstantOf(lapses), store.InstantOf(ends)
	r.now = store.InstantOf(now)
	r.id, r.version = id, uint32(version)
	return &r, r.readToken(token)
}

// readToken reads the last of listColumns.
func (r *row) readToken(digits string) (err error) {
	r.token, err = hex.DecodeString(digits)
	return err
}

// widths are how long the columns are in PostgreSQL's binary formats; 0: of any length.
var widths = []int{8, 8, 8, 8, len(store.ID{}), 4, 1, 0, 0, 0, 8, 0}

// readBinary reads the columns in PostgreSQL's binary formats. The row keeps nothing of raw.
func readBinary(raw [][]byte) (*row, error) {
	for i, column := range raw {
		if column == nil || widths[i] != 0 && len(column) != widths[i] {
			return nil, fmt.Errorf("postgres: %w: column %d has %d bytes", errDamaged, i, len(column))
		}
	}
	const now, token = 10, 11
	r := &row{
		created:    instant(raw[0]),
		lapses:     instant(raw[1]),
		ends:       instant(raw[2]),
		idle:       bigint(raw[3]),
		id:         store.ID(raw[4]),
		version:    binary.BigEndian.Uint32(raw[5]),
		persistent: raw[6][0] != 0,
		owner:      string(raw[7]),
		labels:     jsonb(raw[8]),
		data:       jsonb(raw[9]),
	}
	if len(raw) > now {
		r.now = instant(raw[now])
	}
	if len(raw) > token {
		return r, r.readToken(string(raw[token]))
	}
	return r, nil
}

// uuid is an argument that says of what type it is, which counts behind a pooler: there nothing is prepared.
func uuid(id store.ID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }

func bigint(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) }

const longest = math.MaxInt64 / int64(time.Microsecond) // as far as a time.Duration goes

// duration returns so many microseconds, or the longest duration: PostgreSQL's sum can be one microsecond beyond it.
func duration(microseconds int64) time.Duration {
	return time.Duration(min(microseconds, longest)) * time.Microsecond
}

// instant reads a timestamptz: microseconds since the year 2000.
func instant(b []byte) store.Instant {
	const unix2000 = 946_684_800_000_000
	return store.Instant(bigint(b) + unix2000)
}

// jsonb reads a jsonb: a version, and the document's text.
func jsonb(b []byte) string { return string(b[min(1, len(b)):]) }

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

// check finds what no column's type rules out.
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

// A skew is how far this server's clock is ahead of the database's, in whole seconds: times translated by it can be
// compared with time.Now. It moves only when it is clearly off, so that a time reads the same whenever it is read.
type skew struct{ seconds atomic.Int64 }

func (k *skew) last() time.Duration { return time.Duration(k.seconds.Load()) * time.Second }

// by returns the skew, given that the database's clock showed now at some time between two of this server's. However
// long a statement waited for a lock, or a loop over its rows took, that alone moves nothing.
func (k *skew) by(now, sent, received store.Instant) time.Duration {
	const grain = 1500 * time.Millisecond
	kept := k.last()
	least, most := sent.Sub(now), received.Sub(now)
	if kept < least-grain || kept > most+grain {
		kept = least.Round(time.Second)
		k.seconds.Store(int64(kept / time.Second))
	}
	return kept
}
