package postgres_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

func benchPool(b *testing.B) *pgxpool.Pool {
	cfg, err := pgxpool.ParseConfig(os.Getenv("SESSION_TEST_POSTGRES"))
	if err != nil {
		b.Fatal(err)
	}
	cfg.MaxConns = 20
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	return pool
}

func five() []store.Edit {
	return []store.Edit{{Name: "cart", JSON: `"tea"`}, {Name: "hits", JSON: "42"}, {Name: "lang", JSON: `"en"`}, {Name: "theme", JSON: `"dark"`}, {Name: "user", JSON: "12345"}}
}

func newTok() (t store.Token) { rand.Read(t[:]); return }

func create(b *testing.B, s store.Store, tok store.Token) store.ID {
	var id store.ID
	rand.Read(id[:])
	if _, err := s.Commit(context.Background(), tok, &store.Change{Created: true, Touched: true, ID: id, Edits: five(), IdleTimeout: time.Hour, Lifetime: 24 * time.Hour}); err != nil {
		b.Fatal(err)
	}
	return id
}

func BenchmarkStore(b *testing.B) {
	ctx := context.Background()
	pool := benchPool(b)
	if err := postgres.Migrate(ctx, pool, nil); err != nil {
		b.Fatal(err)
	}
	s, err := postgres.Open(ctx, pool, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	toks := make([]store.Token, 1000)
	for i := range toks {
		toks[i] = newTok()
		create(b, s, toks[i])
	}
	var next atomic.Int64
	tok := func() store.Token { return toks[next.Add(1)%int64(len(toks))] }
	bare := func() error {
		t := tok()
		var data []byte
		var id [16]byte
		var c, e time.Time
		return pool.QueryRow(ctx, "SELECT id, created, seen, data FROM session_sessions WHERE token=$1", t[:]).Scan(&id, &c, &e, &data)
	}
	load := func() error { _, err := s.Load(ctx, tok()); return err }
	bareUp := func() error {
		t := tok()
		_, err := pool.Exec(ctx, "UPDATE session_sessions SET data=$2::jsonb, version=version+1 WHERE token=$1", t[:], `{"cart":"tea","hits":43,"lang":"en","theme":"dark","user":12345}`)
		return err
	}
	add := func() error {
		_, err := s.Commit(ctx, tok(), &store.Change{Edits: []store.Edit{{Name: "hits", Op: store.Add, Delta: 1}}})
		return err
	}
	set := func() error {
		_, err := s.Commit(ctx, tok(), &store.Change{Edits: []store.Edit{{Name: "hits", JSON: "43"}}})
		return err
	}
	touch := func() error { _, err := s.Commit(ctx, tok(), &store.Change{Touched: true}); return err }
	for _, p := range []int{1, 16} {
		for _, c := range []struct {
			name string
			f    func() error
		}{{"bare-load", bare}, {"load", load}, {"bare-update", bareUp}, {"add", add}, {"set", set}, {"touch", touch}} {
			b.Run(fmt.Sprintf("%s/%d", c.name, p), func(b *testing.B) {
				b.SetParallelism(p / 2)
				if p == 1 {
					for b.Loop() {
						if err := c.f(); err != nil {
							b.Fatal(err)
						}
					}
					return
				}
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := c.f(); err != nil {
							b.Error(err)
						}
					}
				})
			})
		}
	}
}
