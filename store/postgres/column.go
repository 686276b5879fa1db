package postgres

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/lazysession/session/store"
)

// A column is one of those that statements return of a session.
type column struct {
	sql   string
	width int // bytes in PostgreSQL's binary format; 0: any number
	read  func(r *row, f field) error
}

// facts are the columns that a commit returns. Each costs about a hundredth of a commit's time. The token is not
// among them, since the caller knows it.
var facts = []column{
	{"s.created", 8, func(r *row, f field) error { return f.instant(&r.created) }},
	{"s.lapses", 8, func(r *row, f field) error { return f.instant(&r.lapses) }},
	{"s.ends", 8, func(r *row, f field) error { return f.instant(&r.ends) }},
	{"s.idle", 8, func(r *row, f field) error { return f.bigint(&r.idle) }},
	{"s.id", len(store.ID{}), func(r *row, f field) error { return f.uuid(&r.id) }},
	{"s.version", 4, func(r *row, f field) error { return f.integer(&r.version) }},
	{"s.persistent", 1, func(r *row, f field) error { return f.boolean(&r.persistent) }},
	{"s.owner", 0, func(r *row, f field) error { return f.string(&r.owner) }},
	{"s.labels", 0, func(r *row, f field) error { return f.jsonb(&r.labels) }},
	{"s.data", 0, func(r *row, f field) error { return f.jsonb(&r.data) }},
}

// loaded are the columns that a load returns: the facts and the database's time, so that the row's times can be
// translated to this server's clock.
var loaded = slices.Concat(facts, []column{
	{"now()", 8, func(r *row, f field) error { return f.instant(&r.now) }},
})

// listed are the columns that a list returns. The caller of a list doesn't know the token, so it is one of them. It is
// encoded as digits, since a setting decides how PostgreSQL writes a bytea as text.
var listed = slices.Concat(loaded, []column{
	{"encode(s.token, 'hex')", 0, func(r *row, f field) error { return f.digits(&r.token) }},
})

var factsSQL = namesOf(facts) // each commit needs it

// namesOf returns columns as a statement names them.
func namesOf(columns []column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.sql
	}
	return strings.Join(names, ", ")
}

// readRow reads the present row: listed, loaded, or facts alone, and then more. The row keeps nothing of the rows.
func readRow(rows pgx.Rows, more ...any) (*row, error) {
	r, types, kinds, values := new(row), rows.TypeMap(), rows.FieldDescriptions(), rows.RawValues()
	own := len(values) - len(more)
	for i, c := range listed[:own] {
		f := field{raw: values[i], isText: kinds[i].Format == pgx.TextFormatCode, types: types}
		if err := c.readInto(r, f); err != nil {
			return nil, fmt.Errorf("postgres: %w: column %s: %w", errDamaged, c.sql, err)
		}
	}
	for i, into := range more {
		kind := kinds[own+i]
		if err := types.Scan(kind.DataTypeOID, kind.Format, values[own+i], into); err != nil {
			return nil, fmt.Errorf("postgres: %w: column %s: %w", errDamaged, kind.Name, err)
		}
	}
	return r, nil
}

func (c column) readInto(r *row, f field) error {
	if f.raw == nil || !f.isText && c.width != 0 && len(f.raw) != c.width {
		return fmt.Errorf("it has %d bytes", len(f.raw))
	}
	return c.read(r, f)
}
