package database

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/bench/sample"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

// ours is this library's store/postgres.
type ours struct {
	*postgres.Store
	pool *pgxpool.Pool
}

func openOurs(ctx context.Context, pool *pgxpool.Pool) (*ours, error) {
	options := &postgres.Options{Logger: slog.New(slog.DiscardHandler)}
	if err := postgres.Migrate(ctx, pool, options); err != nil {
		return nil, err
	}
	s, err := postgres.Open(ctx, pool, options)
	return &ours{s, pool}, err
}

func (o *ours) name() string { return sample.Ours }

func (o *ours) exact() bool { return true }

func (o *ours) close() error { return o.Close() }

// fill makes the first session through the store, and copies its row: a million commits would take minutes. The row is
// found by its ID. A search by token would lock a bucket of the hash index for as long as the statement runs. No bucket
// could be split meanwhile, and every later load would read a chain of thirty pages.
func (o *ours) fill(ctx context.Context, from, to int) error {
	if from == 0 {
		if err := o.create(ctx, 0); err != nil {
			return err
		}
		from = 1
	}
	first := id(0)
	_, err := o.pool.Exec(ctx, `INSERT INTO session_sessions
	(created, lapses, ends, due, idle, id, version, persistent, token, owner, labels, data)
	SELECT created, lapses, ends, due, idle, gen_random_uuid(), version, persistent, new.token, owner, labels, data
	FROM session_sessions AS old, unnest($2::bytea[]) AS new (token) WHERE old.id = $1`, first, tokens(from, to))
	return err
}

func id(n int) store.ID {
	t := token(n)
	return store.ID(t[16:])
}

func (o *ours) create(ctx context.Context, n int) error {
	_, err := o.Commit(ctx, token(n), &store.Change{
		Created:     true,
		ID:          id(n),
		Touched:     true,
		IdleTimeout: time.Hour,
		Lifetime:    24 * time.Hour,
		Edits: []store.Edit{
			{Name: "hits", JSON: "42"},
			{Name: "lang", JSON: `"en"`},
			{Name: "user", JSON: "12345"},
			{Name: "theme", JSON: `"dark"`},
			{Name: "basket", JSON: `"tea"`},
		},
	})
	return err
}

func (o *ours) load(ctx context.Context, n int) error {
	_, err := o.Load(ctx, token(n))
	return err
}

// change commits as a request does whose response begins.
func (o *ours) change(ctx context.Context, n int, c *store.Change) error {
	c.NoRecord = true
	_, err := o.Commit(ctx, token(n), c)
	return err
}

func (o *ours) set(ctx context.Context, n int) error {
	return o.change(ctx, n, &store.Change{Edits: []store.Edit{{Name: "lang", JSON: `"de"`}}})
}

func (o *ours) touch(ctx context.Context, n int) error {
	return o.change(ctx, n, &store.Change{Touched: true})
}

func (o *ours) count(ctx context.Context, n int) error {
	if err := o.load(ctx, n); err != nil {
		return err
	}
	return o.change(ctx, n, &store.Change{Edits: []store.Edit{{Name: "hits", Op: store.Add, Delta: 1}}})
}

func (o *ours) value(ctx context.Context, n int, name string) (string, error) {
	r, err := o.Load(ctx, token(n))
	if err != nil {
		return "", err
	}
	doc, _ := r.Values.Get(name)
	return strings.Trim(doc, `"`), nil
}

func (o *ours) ends(ctx context.Context, n int) (time.Time, error) {
	r, err := o.Load(ctx, token(n))
	if err != nil {
		return time.Time{}, err
	}
	return r.Expires().Time(), nil
}
