package postgres

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
	ErrNoSchema = errors.New("postgres: no session tables: run postgres.Migrate, or what postgres.Schema prints")
	// ErrOldSchema says that the tables are older than this code: run Migrate.
	ErrOldSchema = errors.New("postgres: session tables are older than this program: run postgres.Migrate")
	// ErrNewSchema says that the tables are newer than this code: a later version of the library has migrated them.
	ErrNewSchema = errors.New("postgres: session tables are newer than this program: update it")
)

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
// migrates, and the others wait. It needs the right to create tables in the schema, and creates nothing but the tables
// and indexes. It returns ErrNewSchema if the tables are newer than the code.
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
		return fmt.Errorf("postgres: migrating %s: %w", s.table("sessions"), err)
	}
	return nil
}

func (s *settings) migrate(ctx context.Context, tx pgx.Tx) error {
	// 1. Create nothing in a database that Open would refuse.
	if err := s.checkEncoding(ctx, tx); err != nil {
		return err
	}
	// 2. Wait for other servers. The end of the transaction releases the lock.
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock("+hashOf+")", s.lockName("migrate")); err != nil {
		return err
	}
	// 3. Find the version of the tables.
	if _, err := tx.Exec(ctx, s.fill(createMigrations)); err != nil {
		return err
	}
	version, err := s.version(ctx, tx)
	if err != nil {
		return err
	}
	// 4. Apply the missing steps.
	steps := migrations()
	if version > len(steps) {
		return versionError(ErrNewSchema, version)
	}
	for i, step := range steps[version:] {
		if err := s.apply(ctx, tx, step, version+i+1); err != nil {
			return fmt.Errorf("step %d: %w", version+i+1, err)
		}
	}
	return nil
}

func (s *settings) apply(ctx context.Context, tx pgx.Tx, step string, version int) error {
	// Without arguments a step may be several statements.
	if _, err := tx.Exec(ctx, s.fill(step)); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "INSERT INTO "+s.table("migrations")+" (version) VALUES ($1)", version)
	return err
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
		return fmt.Errorf("%w (looked for %s)", ErrNoSchema, s.table("sessions"))
	case err != nil:
		return fmt.Errorf("postgres: reading %s: %w", s.table("migrations"), err)
	case version < len(migrations()):
		return versionError(ErrOldSchema, version)
	case version > len(migrations()):
		return versionError(ErrNewSchema, version)
	}
	return errors.Join(s.checkEncoding(ctx, q), s.checkRights(ctx, q, "sessions"), s.checkRights(ctx, q, "retired"))
}

func versionError(err error, version int) error {
	return fmt.Errorf("%w (version %d, want %d)", err, version, len(migrations()))
}

// checkRights makes sure that a table exists and that the user may read and write it. So a mistake in the set-up is an
// error of Open, and not of the first request.
func (s *settings) checkRights(ctx context.Context, q querier, name string) error {
	const sql = "SELECT bool_and(has_table_privilege($1::text, may))" +
		" FROM unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS may"
	var allowed bool
	err := q.QueryRow(ctx, sql, s.table(name)).Scan(&allowed)
	switch {
	case hasCode(err, undefinedTable):
		return fmt.Errorf("%w (looked for %s)", ErrNoSchema, s.table(name))
	case err != nil:
		return fmt.Errorf("postgres: reading rights on %s: %w", s.table(name), err)
	case !allowed:
		return fmt.Errorf("postgres: no right to all of SELECT, INSERT, UPDATE and DELETE on %s: grant them to this user",
			s.table(name))
	}
	return nil
}

// checkEncoding makes sure that every text a program can set can be stored.
func (s *settings) checkEncoding(ctx context.Context, q querier) error {
	var encoding string
	if err := q.QueryRow(ctx, "SELECT current_setting('server_encoding')").Scan(&encoding); err != nil {
		return fmt.Errorf("postgres: reading server_encoding: %w", err)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("postgres: the database's encoding is %s: create one with ENCODING 'UTF8'", encoding)
	}
	return nil
}

// hashOf turns a name into the number of an advisory lock.
const hashOf = "hashtextextended($1, 0)"

// lockName is the name of an advisory lock for these tables.
func (s *settings) lockName(purpose string) string { return s.channel() + "/" + purpose }
