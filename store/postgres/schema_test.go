package postgres_test

import (
	"context"
	"errors"
	"net/url"
	osexec "os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

// tables describes the columns, constraints, indexes and settings of a schema, one line each.
func tables(t *testing.T, pool *pgxpool.Pool, schema string) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), `
SELECT format('%s.%s %s %s %s', table_name, column_name, ordinal_position, data_type, is_nullable)
	FROM information_schema.columns WHERE table_schema = $1
UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
	FROM pg_constraint WHERE connamespace = to_regnamespace(quote_ident($1))
UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = $1
UNION ALL SELECT relname || ' ' || reloptions::text
	FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident($1)) AND reloptions IS NOT NULL
ORDER BY 1`, schema)
	check(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	check(t, err)
	return lines
}

func TestMigrateTwice(t *testing.T) {
	pool := pgtest.Pool(t)
	check(t, postgres.Migrate(t.Context(), pool, nil))
	once := tables(t, pool, "public")
	check(t, postgres.Migrate(t.Context(), pool, nil))
	if got := tables(t, pool, "public"); !slices.Equal(got, once) || len(once) < 20 {
		t.Errorf("after the second time:\n%s\nafter the first:\n%s", strings.Join(got, "\n"), strings.Join(once, "\n"))
	}
	if n := value[int](t, pool, "SELECT count(*) FROM session_migrations"); n != 1 {
		t.Errorf("got %d migrations, want 1", n)
	}
}

func TestMigrateAtOnce(t *testing.T) {
	url := pgtest.Shared(t).Database(t)
	var all []func() error
	for range 8 {
		pool := pgtest.Connect(t, url) // each server has its own
		all = append(all, func() error { return postgres.Migrate(t.Context(), pool, nil) })
	}
	check(t, errors.Join(atOnce(all...)...))
	s, err := postgres.Open(t.Context(), pgtest.Connect(t, url), nil)
	check(t, err)
	check(t, s.Close())
}

func TestSchemaEqualsMigrate(t *testing.T) {
	o := &postgres.Options{Schema: `my "own"`, Prefix: "visits"}
	var got [2][]string
	for i, migrate := range []func(*pgxpool.Pool) error{
		func(pool *pgxpool.Pool) error { return postgres.Migrate(t.Context(), pool, o) },
		func(pool *pgxpool.Pool) error {
			return errOf(pool.Exec(t.Context(), postgres.Schema(o)))
		},
	} {
		pool := pgtest.Pool(t)
		exec(t, pool, `CREATE SCHEMA "my ""own"""`)
		check(t, migrate(pool))
		got[i] = tables(t, pool, o.Schema)
		s := open(t, pool, o) // migrates again
		load(t, s, create(t, s, creation()).Token)
	}
	if !slices.Equal(got[0], got[1]) || len(got[0]) < 20 {
		t.Errorf("Migrate creates\n%s\nSchema\n%s", strings.Join(got[0], "\n"), strings.Join(got[1], "\n"))
	}
}

func TestSchemaRunsInPsql(t *testing.T) {
	psql, err := osexec.LookPath("psql")
	if err != nil {
		t.Skip("psql is missing")
	}
	address := pgtest.Shared(t).Database(t)
	cmd := osexec.Command(psql, "-v", "ON_ERROR_STOP=1", "-q", address)
	cmd.Stdin = strings.NewReader(postgres.Schema(nil))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
	s, err := postgres.Open(t.Context(), pgtest.Connect(t, address), nil)
	check(t, err)
	check(t, s.Close())
}

func TestTablesSideBySide(t *testing.T) {
	pool := pgtest.Pool(t)
	exec(t, pool, "CREATE SCHEMA other")
	stores := []*postgres.Store{
		open(t, pool, nil),
		open(t, pool, &postgres.Options{Prefix: "admin"}),
		open(t, pool, &postgres.Options{Schema: "other"}),
	}
	diaries := make([]*diary, len(stores))
	for i, s := range stores {
		diaries[i] = keepDiary(t, s)
	}
	r := create(t, stores[0], creation())
	for _, s := range stores[1:] {
		wantLoadError(t, s, r.Token, store.ErrNotFound)
		check(t, s.End(t.Context(), r.ID, store.Revoked))
	}
	load(t, stores[0], r.Token)
	// Events arrive in order, so an own event shows that none of other tables came before.
	check(t, stores[0].End(t.Context(), r.ID, store.Revoked))
	for i, s := range stores[1:] {
		mine := create(t, s, creation())
		check(t, s.End(t.Context(), mine.ID, store.LoggedOut))
		diaries[i+1].wait(t, patience, store.Event{Kind: store.Created, ID: mine.ID},
			store.Event{Kind: store.Ended, ID: mine.ID, Reason: store.LoggedOut})
	}
}

// A schema's name may have 63 bytes, which is also PostgreSQL's limit for a channel's name. The channel's name contains
// the schema and the prefix.
func TestLongNames(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	pool := pgtest.Connect(t, address)
	o := &postgres.Options{Schema: strings.Repeat("s", 63), Prefix: strings.Repeat("p", 30)}
	exec(t, pool, "CREATE SCHEMA "+o.Schema)
	a, b := open(t, pool, o), open(t, pgtest.Connect(t, address), o)
	d := keepDiary(t, b)
	r := create(t, a, creation())
	r = commit(t, a, r.Token, &store.Change{RenewTo: newToken()})
	check(t, a.End(t.Context(), r.ID, store.LoggedOut))
	d.wait(t, patience, store.Event{Kind: store.Renewed, ID: r.ID},
		store.Event{Kind: store.Ended, ID: r.ID, Reason: store.LoggedOut})
}

// latin1 creates a database with another encoding.
const latin1 = "ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"

func TestOpenRefuses(t *testing.T) {
	migrated := func(t *testing.T) *pgxpool.Pool {
		pool := pgtest.Pool(t)
		check(t, postgres.Migrate(t.Context(), pool, nil))
		return pool
	}
	for _, tt := range []struct {
		name string
		pool func(t *testing.T) *pgxpool.Pool
		o    *postgres.Options
		is   error
		says string
	}{
		{"no tables", func(t *testing.T) *pgxpool.Pool { return pgtest.Pool(t) }, nil,
			postgres.ErrNoSchema, "run postgres.Migrate"},
		{"no schema", migrated, &postgres.Options{Schema: "nowhere"},
			postgres.ErrNoSchema, `"nowhere"."session_sessions"`},
		{"other prefix", migrated, &postgres.Options{Prefix: "other"},
			postgres.ErrNoSchema, `"public"."other_sessions"`},
		{"older tables", func(t *testing.T) *pgxpool.Pool {
			pool := migrated(t)
			exec(t, pool, "DELETE FROM session_migrations")
			return pool
		}, nil, postgres.ErrOldSchema, "version 0, want 1"},
		{"newer tables", func(t *testing.T) *pgxpool.Pool {
			pool := migrated(t)
			exec(t, pool, "INSERT INTO session_migrations VALUES (2)")
			return pool
		}, nil, postgres.ErrNewSchema, "version 2, want 1"},
		{"a dropped table", func(t *testing.T) *pgxpool.Pool {
			pool := migrated(t)
			exec(t, pool, "DROP TABLE session_retired")
			return pool
		}, nil, postgres.ErrNoSchema, "session_retired"},
		{"another encoding", func(t *testing.T) *pgxpool.Pool {
			pool := pgtest.Connect(t, pgtest.Shared(t).Database(t, latin1))
			exec(t, pool, postgres.Schema(nil))
			return pool
		}, nil, nil, "encoding is LATIN1: create one with ENCODING 'UTF8'"},
		{"no rights", func(t *testing.T) *pgxpool.Pool { return as(t, migrated(t), "") }, nil, nil, "42501"},
		{"the right to read", func(t *testing.T) *pgxpool.Pool {
			return as(t, migrated(t), "GRANT SELECT ON ALL TABLES IN SCHEMA public TO %u")
		}, nil, nil, "no right to all of SELECT, INSERT, UPDATE and DELETE"},
		{"rights on one table", func(t *testing.T) *pgxpool.Pool {
			return as(t, migrated(t), "GRANT SELECT ON session_migrations TO %u;"+
				" GRANT SELECT, INSERT, UPDATE, DELETE ON session_sessions TO %u")
		}, nil, nil, "session_retired"},
		{"bad prefix", migrated, &postgres.Options{Prefix: `a"; DROP TABLE x`}, nil, "prefix"},
		{"bad schema and prefix", migrated, &postgres.Options{Schema: strings.Repeat("s", 64), Prefix: "A"},
			nil, `prefix "A"`},
		{"bad Listen", migrated, &postgres.Options{Listen: "postgres://a:secret@:::/"}, nil, "listen"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := postgres.Open(t.Context(), tt.pool(t), tt.o)
			if err == nil {
				s.Close()
				t.Fatal("got a store, want an error")
			}
			t.Log(err)
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v, want %v", err, tt.is)
			}
			if !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %q, want it to say %q and no secret", err, tt.says)
			}
		})
	}
}

// as returns a pool of a new user, who has only the rights of a grant. %u in it stands for the user's name.
func as(t *testing.T, pool *pgxpool.Pool, grant string) *pgxpool.Pool {
	t.Helper()
	name := value[string](t, pool, "SELECT 'user_' || replace(gen_random_uuid()::text, '-', '')")
	exec(t, pool, "CREATE ROLE "+name+" LOGIN PASSWORD 'x'")
	t.Cleanup(func() {
		for _, sql := range []string{"DROP OWNED BY " + name, "DROP ROLE " + name} {
			if _, err := pool.Exec(context.Background(), sql); err != nil {
				t.Error(err)
			}
		}
	})
	if grant != "" {
		exec(t, pool, strings.ReplaceAll(grant, "%u", name))
	}
	u, err := url.Parse(pool.Config().ConnString())
	check(t, err)
	u.User = url.UserPassword(name, "x")
	return pgtest.Connect(t, u.String())
}

func TestMigrateRefuses(t *testing.T) {
	latin := pgtest.Connect(t, pgtest.Shared(t).Database(t, latin1))
	newer := pgtest.Pool(t)
	check(t, postgres.Migrate(t.Context(), newer, nil))
	exec(t, newer, "INSERT INTO session_migrations VALUES (99)")
	for _, tt := range []struct {
		name string
		pool *pgxpool.Pool
		o    *postgres.Options
		is   error
		says string
	}{
		{"newer tables", newer, nil, postgres.ErrNewSchema, "version 99, want 1"},
		{"no schema", pgtest.Pool(t), &postgres.Options{Schema: "nowhere"}, nil, `schema "nowhere" does not exist`},
		{"no rights", as(t, pgtest.Pool(t), ""), nil, nil, "permission denied for schema public"},
		{"another encoding", latin, nil, nil, "ENCODING 'UTF8'"},
		{"bad prefix", newer, &postgres.Options{Prefix: "-"}, nil, `prefix "-"`},
		{"no pool", nil, nil, nil, "no pool"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := postgres.Migrate(t.Context(), tt.pool, tt.o)
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want an error that says %q", err, tt.says)
			}
		})
	}
}
