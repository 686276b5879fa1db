package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/live/pglog"
	"github.com/lazysession/session/store/postgres"
)

const (
	openTimeout  = 15 * time.Second // of a start: other servers may be making the tables
	queryTimeout = 2 * time.Second  // of one statement about posts
)

// openPostgres connects to a database, makes its tables where they are missing, and keeps everything in it.
func openPostgres(ctx context.Context, url string) (storage, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	pool, err := connect(ctx, url)
	if err != nil {
		return storage{}, err
	}
	s, err := storageIn(ctx, pool)
	if err != nil {
		pool.Close()
	}
	return s, err
}

func connect(ctx context.Context, url string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("-store: %w", err) // pgx leaves the password out
	}
	postgres.FailFast(cfg)
	return pgxpool.NewWithConfig(ctx, cfg)
}

// storageIn keeps sessions, posts and live sockets in one database.
func storageIn(ctx context.Context, pool *pgxpool.Pool) (storage, error) {
	if err := postgres.Migrate(ctx, pool, nil); err != nil {
		return storage{}, err
	}
	posts, err := openPosts(ctx, pool)
	if err != nil {
		return storage{}, err
	}
	sessions, err := postgres.Open(ctx, pool, nil)
	if err != nil {
		return storage{}, err
	}
	streams, err := openStreams(ctx, pool)
	if err != nil {
		return storage{}, errors.Join(err, sessions.Close())
	}
	return storage{sessions: sessions, posts: posts, streams: streams, database: true, close: func() {
		streams.Close(context.Background(), false)
		sessions.Close()
		pool.Close() // last: the others still use it
	}}, nil
}

func openStreams(ctx context.Context, pool *pgxpool.Pool) (*pglog.Log, error) {
	if err := pglog.Migrate(ctx, pool, nil); err != nil {
		return nil, err
	}
	return pglog.Open(ctx, pool, nil)
}

// A postgresRepo keeps forums and posts in PostgreSQL.
type postgresRepo struct{ pool *pgxpool.Pool }

var _ repository = (*postgresRepo)(nil)

const postTables = `
CREATE TABLE IF NOT EXISTS forum_forums (
	id    text        PRIMARY KEY,
	place integer     NOT NULL, -- in the list
	name  text        NOT NULL,
	about text        NOT NULL,
	posts integer     NOT NULL DEFAULT 0,
	last  timestamptz
);
CREATE TABLE IF NOT EXISTS forum_posts (
	forum  text        NOT NULL REFERENCES forum_forums,
	id     bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
	author text        NOT NULL,
	text   text        NOT NULL,
	time   timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (forum, id)
);`

// openPosts makes the tables, the first forums and their first posts, unless another server has made them.
func openPosts(ctx context.Context, pool *pgxpool.Pool) (*postgresRepo, error) {
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		// IF NOT EXISTS alone fails when two servers start at once. The lock goes with the transaction.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('forum/tables', 0))"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, postTables); err != nil {
			return err
		}
		return addFirstForums(ctx, tx)
	})
	if err != nil {
		return nil, fmt.Errorf("making the forum's tables: %w", err)
	}
	return &postgresRepo{pool}, nil
}

func addFirstForums(ctx context.Context, tx pgx.Tx) error {
	var made bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM forum_forums)").Scan(&made); err != nil || made {
		return err
	}
	for place, f := range firstForums {
		_, err := tx.Exec(ctx, "INSERT INTO forum_forums (id, place, name, about) VALUES ($1, $2, $3, $4)",
			f.ID, place, f.Name, f.About)
		if err != nil {
			return err
		}
	}
	for _, p := range firstPosts {
		if _, err := tx.Exec(ctx, addPostSQL, p.forum, p.author, p.text, p.age); err != nil {
			return err
		}
	}
	return nil
}

// limited gives a statement a time limit. The Manager limits only calls of the session store.
func limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, queryTimeout)
}

// unreachable makes an error that visitors are told of as errNoPosts. The log has the cause.
func unreachable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errNoPosts, err)
}

const forumColumns = "id, name, about, posts, coalesce(last, '0001-01-01 00:00:00Z')"

func scanForum(row pgx.CollectableRow) (f Forum, err error) {
	err = row.Scan(&f.ID, &f.Name, &f.About, &f.Posts, &f.Last)
	if f.Posts == 0 {
		f.Last = time.Time{}
	}
	return f, err
}

func (r *postgresRepo) Forums(ctx context.Context) ([]Forum, error) {
	ctx, cancel := limited(ctx)
	defer cancel()
	rows, _ := r.pool.Query(ctx, "SELECT "+forumColumns+" FROM forum_forums ORDER BY place") // rows have the error
	forums, err := pgx.CollectRows(rows, scanForum)
	return forums, unreachable(err)
}

func (r *postgresRepo) Forum(ctx context.Context, id string) (Forum, error) {
	ctx, cancel := limited(ctx)
	defer cancel()
	rows, _ := r.pool.Query(ctx, "SELECT "+forumColumns+" FROM forum_forums WHERE id = $1", id)
	f, err := pgx.CollectExactlyOneRow(rows, scanForum)
	if errors.Is(err, pgx.ErrNoRows) {
		return Forum{}, errNoForum
	}
	return f, unreachable(err)
}

func (r *postgresRepo) Posts(ctx context.Context, forum string, before int64, limit int) ([]Post, error) {
	if _, err := r.Forum(ctx, forum); err != nil {
		return nil, err
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	rows, _ := r.pool.Query(ctx, `SELECT id, author, text, time FROM forum_posts
WHERE forum = $1 AND ($2::bigint = 0 OR id < $2) ORDER BY id DESC LIMIT $3`, forum, before, limit)
	posts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Post])
	return posts, unreachable(err)
}

// addPostSQL locks the forum first, so that posts get their IDs in the order of their commits. $4 is the post's age.
const addPostSQL = `WITH forum AS (
	UPDATE forum_forums SET posts = posts + 1, last = now() - $4::interval WHERE id = $1 RETURNING id, last
)
INSERT INTO forum_posts (forum, author, text, time) SELECT id, $2, $3, last FROM forum RETURNING id, time`

// AddPost uses the database's time, since the servers' clocks may differ.
func (r *postgresRepo) AddPost(ctx context.Context, forum string, p Post) (Post, error) {
	ctx, cancel := limited(ctx)
	defer cancel()
	err := r.pool.QueryRow(ctx, addPostSQL, forum, p.Author, p.Text, time.Duration(0)).Scan(&p.ID, &p.Time)
	if errors.Is(err, pgx.ErrNoRows) {
		return Post{}, errNoForum
	}
	return p, unreachable(err)
}
