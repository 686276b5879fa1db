package stores

import (
	"context"
	"log/slog"
	"time"

	"github.com/alexedwards/scs/pgxstore"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/store/postgres"
)

// A contender is one way to keep sessions of five small values in PostgreSQL. Sessions have numbers.
type contender interface {
	name() string
	fill(ctx context.Context, from, to int) error
	load(ctx context.Context, n int) error
	set(ctx context.Context, n int) error   // makes the language "de"; the session has been loaded before
	touch(ctx context.Context, n int) error // puts its end off; the session has been loaded before
	count(ctx context.Context, n int) error // loads the session, as a request does, and adds 1 to its hits

	value(ctx context.Context, n int, name string) (string, error)
	ends(ctx context.Context, n int) (time.Time, error)
	exact() bool // whether no count is lost where several count at once
	close() error
}

func openAll(ctx context.Context, pool *pgxpool.Pool) ([]contender, error) {
	options := &postgres.Options{Logger: slog.New(slog.DiscardHandler)}
	if err := postgres.Migrate(ctx, pool, options); err != nil {
		return nil, err
	}
	if _, err := pool.Exec(ctx, tables); err != nil {
		return nil, err
	}
	s, err := postgres.Open(ctx, pool, options)
	return []contender{
		ourTable{ours{s, values}, s, pool},
		bare{pool},
		scsTable{peer{store: pgxstore.NewWithCleanupInterval(pool, 0), values: values}, pool},
	}, err
}

// ourTable is store/postgres.
type ourTable struct {
	ours
	postgres *postgres.Store
	pool     *pgxpool.Pool
}

func (t ourTable) close() error { return t.postgres.Close() }

// fill makes the first session through the store, and copies its row: a million commits would take minutes. The row is
// found by its ID. A search by token would lock a bucket of the hash index for as long as the statement runs. No bucket
// could be split meanwhile, and every later load would read a chain of thirty pages.
func (t ourTable) fill(ctx context.Context, from, to int) error {
	if from == 0 {
		if err := t.put(ctx, 0, time.Now().Add(time.Hour)); err != nil {
			return err
		}
		from = 1
	}
	tokens := make([][]byte, to-from)
	for i := range tokens {
		token := token(from + i)
		tokens[i] = token[:]
	}
	first := id(0)
	_, err := t.pool.Exec(ctx, `INSERT INTO session_sessions
	(created, lapses, ends, due, idle, id, version, persistent, token, owner, labels, data)
	SELECT created, lapses, ends, due, idle, gen_random_uuid(), version, persistent, new.token, owner, labels, data
	FROM session_sessions AS old, unnest($2::bytea[]) AS new (token) WHERE old.id = $1`, first, tokens)
	return err
}

// scsTable is the pgxstore of scs.
type scsTable struct {
	peer
	pool *pgxpool.Pool
}

// tables are those of pgxstore's documentation.
const tables = `
CREATE TABLE sessions (
	token TEXT PRIMARY KEY,
	data BYTEA NOT NULL,
	expiry TIMESTAMPTZ NOT NULL
);
CREATE INDEX sessions_expiry_idx ON sessions (expiry);
`

func (t scsTable) close() error { return nil }

func (t scsTable) fill(ctx context.Context, from, to int) error {
	data, err := t.codec.Encode(time.Now().Add(24*time.Hour), t.filled(0))
	if err != nil {
		return err
	}
	tokens := make([]string, to-from)
	for i := range tokens {
		tokens[i] = scsToken(from + i)
	}
	_, err = t.pool.Exec(ctx, "INSERT INTO sessions SELECT token, $2, $3 FROM unnest($1::text[]) AS new (token)",
		tokens, data, time.Now().Add(time.Hour))
	return err
}

func (t scsTable) ends(ctx context.Context, n int) (at time.Time, err error) {
	err = t.pool.QueryRow(ctx, "SELECT expiry FROM sessions WHERE token = $1", scsToken(n)).Scan(&at)
	return at, err
}
