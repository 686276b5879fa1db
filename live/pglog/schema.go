package pglog

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Errors of [Open] about the tables.
var (
	// ErrNoSchema says that the tables are not there: run Migrate, or what Schema prints.
	ErrNoSchema = errors.New("pglog: no tables of live sockets: run pglog.Migrate, or what pglog.Schema prints")
	// ErrOldSchema says that the tables are older than this code: run Migrate.
	ErrOldSchema = errors.New("pglog: the tables are older than this program: run pglog.Migrate")
	// ErrNewSchema says that the tables are newer than this code: a later version of the library has migrated them.
	ErrNewSchema = errors.New("pglog: the tables are newer than this program: update it")
)

var errNoPool = errors.New("pglog: no pool")

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrations returns the steps from an empty schema to the present tables. A version is the number of applied steps.
func migrations() []string {
	files, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		panic(err) // the pattern is constant
	}
	var steps []string
	for _, name := range files { // sorted by their numbers
		sql, err := migrationFiles.ReadFile(name)
		if err != nil {
			panic(err) // an embedded file can be read
		}
		steps = append(steps, string(sql))
	}
	return steps
}

const createMigrations = `CREATE TABLE IF NOT EXISTS {{migrations}} (
	version integer     NOT NULL PRIMARY KEY,
	applied timestamptz NOT NULL DEFAULT now()
);
`

// Schema returns the SQL that creates the tables. Use it with goose, tern, Atlas or psql instead of [Migrate]. It
// panics on options that Open would refuse.
func Schema(o *Options) string {
	s, err := o.settings()
	if err != nil {
		panic(err)
	}
	var b strings.Builder
	b.WriteString(s.fill(createMigrations))
	for i, step := range migrations() {
		fmt.Fprintf(&b, "\n%s\nINSERT INTO %s (version) VALUES (%d);\n", s.fill(step), s.table("migrations"), i+1)
	}
	return b.String()
}

// Migrate creates the tables, or brings them to the version of this code. Several servers may call it at once: one
// migrates, and the others wait. It needs the right to create tables in the schema. It returns ErrNewSchema if the
// tables are newer than the code.
func Migrate(ctx context.Context, pool *pgxpool.Pool, o *Options) error {
	s, err := o.settings()
	if err != nil {
		return err
	}
	if pool == nil {
		return errNoPool
	}
	err = pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		return s.migrate(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("pglog: migrating %s: %w", s.table("sockets"), err)
	}
	return nil
}

func (s *settings) migrate(ctx context.Context, tx pgx.Tx) error {
	// 1. Wait for other servers. The end of the transaction releases the lock.
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", s.lock("migrate", "")); err != nil {
		return err
	}
	// 2. Find the version of the tables.
	if _, err := tx.Exec(ctx, s.fill(createMigrations)); err != nil {
		return err
	}
	version, err := s.version(ctx, tx)
	if err != nil {
		return err
	}
	// 3. Apply the missing steps.
	steps := migrations()
	if version > len(steps) {
		return versionError(ErrNewSchema, version)
	}
	for i, step := range steps[version:] {
		if _, err := tx.Exec(ctx, s.fill(step)); err != nil {
			return fmt.Errorf("step %d: %w", version+i+1, err)
		}
		_, err := tx.Exec(ctx, "INSERT INTO "+s.table("migrations")+" (version) VALUES ($1)", version+i+1)
		if err != nil {
			return err
		}
	}
	return nil
}

// A querier is a pool, a connection or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func (s *settings) version(ctx context.Context, q querier) (version int, err error) {
	err = q.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM "+s.table("migrations")).Scan(&version)
	return version, err
}

// checkTables returns what is wrong with the database, if anything.
func (s *settings) checkTables(ctx context.Context, q querier) error {
	version, err := s.version(ctx, q)
	switch {
	case hasCode(err, undefinedTable, invalidSchemaName):
		return fmt.Errorf("%w (looked for %s)", ErrNoSchema, s.table("sockets"))
	case err != nil:
		return fmt.Errorf("pglog: reading %s: %w", s.table("migrations"), err)
	case version < len(migrations()):
		return versionError(ErrOldSchema, version)
	case version > len(migrations()):
		return versionError(ErrNewSchema, version)
	}
	return nil
}

func versionError(err error, version int) error {
	return fmt.Errorf("%w (version %d, want %d)", err, version, len(migrations()))
}
