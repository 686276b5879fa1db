package database

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
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
	o, err := openOurs(ctx, pool)
	if err != nil {
		return nil, err
	}
	p, err := openPeer(ctx, pool)
	if err != nil {
		return nil, errors.Join(err, o.close())
	}
	return []contender{o, &bare{pool}, p}, nil
}

func closeAll(all []contender) {
	for _, c := range all {
		c.close()
	}
}

// fill makes the sessions of all contenders, and leaves the server nothing to tidy up meanwhile.
func (b *board) fill(ctx context.Context, pool *pgxpool.Pool, all []contender, from, to int) error {
	b.log("database: making %d sessions of each contender", to-from)
	const most = 50_000
	for ; from < to; from += most {
		for _, c := range all {
			if err := c.fill(ctx, from, min(from+most, to)); err != nil {
				return fmt.Errorf("%s: making sessions: %w", c.name(), err)
			}
		}
	}
	for _, statement := range []string{"VACUUM ANALYZE", "CHECKPOINT"} {
		if _, err := pool.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// token makes the token of the n-th session.
func token(n int) [32]byte {
	return sha256.Sum256(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

// tokens makes those of a row of sessions.
func tokens(from, to int) [][]byte {
	all := make([][]byte, to-from)
	for i := range all {
		t := token(from + i)
		all[i] = t[:]
	}
	return all
}
