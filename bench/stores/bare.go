package stores

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// bare is the least that a program can do with pgx: statements that move the same bytes of the same rows.
type bare struct{ pool *pgxpool.Pool }

func (b bare) name() string { return "bare pgx" }

func (b bare) exact() bool { return true }

func (b bare) close() error { return nil }

func (b bare) fill(context.Context, int, int) error { return nil } // the rows are ours

func (b bare) load(ctx context.Context, n int) error {
	var now, created, lapses, ends time.Time
	var idle, version int64
	var id [16]byte
	var persistent bool
	var raw []byte
	var owner, labels, data string
	t := token(n)
	return b.pool.QueryRow(ctx, `SELECT created, lapses, ends, idle, id, version, persistent, owner, labels,
	data, token, now()
	FROM session_sessions WHERE token = $1`, t[:]).
		Scan(&created, &lapses, &ends, &idle, &id, &version, &persistent, &owner, &labels, &data, &raw, &now)
}

func (b bare) set(ctx context.Context, n int) error {
	const values = `{"hits": 42, "lang": "de", "user": 12345, "theme": "dark", "basket": "tea"}`
	t := token(n)
	const statement = "UPDATE session_sessions SET version = version + 1, data = $2 WHERE token = $1"
	return one(b.pool.Exec(ctx, statement, t[:], values))
}

func (b bare) touch(ctx context.Context, n int) error {
	t := token(n)
	return one(b.pool.Exec(ctx, "UPDATE session_sessions SET lapses = now() + interval '1 hour' WHERE token = $1", t[:]))
}

func (b bare) count(ctx context.Context, n int) error {
	if err := b.load(ctx, n); err != nil {
		return err
	}
	t := token(n)
	return one(b.pool.Exec(ctx, `UPDATE session_sessions
	SET version = version + 1, data = jsonb_set(data, '{hits}', to_jsonb((data->>'hits')::bigint + 1))
	WHERE token = $1`, t[:]))
}

var errNoRow = errors.New("no row was changed")

// one makes sure that an UPDATE found its row.
func one(tag pgconn.CommandTag, err error) error {
	if err == nil && tag.RowsAffected() != 1 {
		err = errNoRow
	}
	return err
}

func (b bare) value(ctx context.Context, n int, name string) (v string, err error) {
	t := token(n)
	err = b.pool.QueryRow(ctx, "SELECT data->>$2 FROM session_sessions WHERE token = $1", t[:], name).Scan(&v)
	return v, err
}

func (b bare) ends(ctx context.Context, n int) (at time.Time, err error) {
	t := token(n)
	err = b.pool.QueryRow(ctx, "SELECT lapses FROM session_sessions WHERE token = $1", t[:]).Scan(&at)
	return at, err
}
