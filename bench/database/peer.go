package database

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/pgxstore"
	"github.com/alexedwards/scs/v2"
	"github.com/jackc/pgx/v5/pgxpool"
)

// peer does what a SessionManager of scs does with its pgxstore and its default codec.
type peer struct {
	pool  *pgxpool.Pool
	store *pgxstore.PostgresStore
	codec scs.GobCodec
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

func openPeer(ctx context.Context, pool *pgxpool.Pool) (*peer, error) {
	_, err := pool.Exec(ctx, tables)
	return &peer{pool: pool, store: pgxstore.NewWithCleanupInterval(pool, 0)}, err
}

func (p *peer) name() string { return "scs" }

// A count of scs is a load, an addition in the program and a store of all: what was stored in between is lost.
func (p *peer) exact() bool { return false }

func (p *peer) close() error { return nil }

func visitor() map[string]any {
	return map[string]any{"hits": 42, "lang": "en", "user": 12345, "theme": "dark", "basket": "tea"}
}

func (p *peer) fill(ctx context.Context, from, to int) error {
	data, err := p.codec.Encode(time.Now().Add(24*time.Hour), visitor())
	if err != nil {
		return err
	}
	names := make([]string, to-from)
	for i := range names {
		names[i] = peerToken(from + i)
	}
	_, err = p.pool.Exec(ctx, "INSERT INTO sessions SELECT token, $2, $3 FROM unnest($1::text[]) AS new (token)",
		names, data, time.Now().Add(time.Hour))
	return err
}

// peerToken has the form of those that scs makes.
func peerToken(n int) string {
	t := token(n)
	return base64.RawURLEncoding.EncodeToString(t[:])
}

var errNotFound = errors.New("a live session is not found")

func (p *peer) decoded(n int) (map[string]any, error) {
	data, found, err := p.store.Find(peerToken(n))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, errNotFound
	}
	_, values, err := p.codec.Decode(data)
	return values, err
}

func (p *peer) commit(n int, values map[string]any) error {
	now := time.Now()
	data, err := p.codec.Encode(now.Add(24*time.Hour), values)
	if err != nil {
		return err
	}
	return p.store.Commit(peerToken(n), data, now.Add(time.Hour))
}

func (p *peer) load(_ context.Context, n int) error {
	_, err := p.decoded(n)
	return err
}

func (p *peer) set(_ context.Context, n int) error {
	values := visitor() // as a load before left them
	values["lang"] = "de"
	return p.commit(n, values)
}

// touch stores all values anew: scs does so in each request where an idle timeout is set.
func (p *peer) touch(_ context.Context, n int) error { return p.commit(n, visitor()) }

func (p *peer) count(_ context.Context, n int) error {
	values, err := p.decoded(n)
	if err != nil {
		return err
	}
	hits, _ := values["hits"].(int)
	values["hits"] = hits + 1
	return p.commit(n, values)
}

func (p *peer) value(_ context.Context, n int, name string) (string, error) {
	values, err := p.decoded(n)
	return fmt.Sprint(values[name]), err
}

func (p *peer) ends(ctx context.Context, n int) (at time.Time, err error) {
	err = p.pool.QueryRow(ctx, "SELECT expiry FROM sessions WHERE token = $1", peerToken(n)).Scan(&at)
	return at, err
}
