package postgres_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

// damagedData are jsonb values that the store never writes into the data column.
var damagedData = []string{
	`[]`, `"x"`, `1`, `null`, `true`, `[{"a": 1}]`, `{"a": {}}`, `{"a": {"b": {"c": 1}}}`, `{"a": []}`, `{"a": [1]}`,
	`{"a": ["x", "y"]}`, `{"a": [["1"]]}`, `{"a": ["{"]}`, `{"a": [""]}`, `{"a": 1, "b": {}}`,
	`{"a": ["1"], "b": ["nothing"]}`, `{"a": ` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`,
}

// A row that was changed by hand is an error for its own session only.
func TestDamagedRows(t *testing.T) {
	for _, mode := range []string{"cache_statement", "exec"} { // PostgreSQL's binary formats, and texts
		t.Run(mode, func(t *testing.T) {
			pool := pgtest.Connect(t, pgtest.Shared(t).Database(t)+"?default_query_exec_mode="+mode)
			testDamagedRows(t, open(t, pool, silent), pool)
		})
	}
}

func testDamagedRows(t *testing.T, s *postgres.Store, pool *pgxpool.Pool) {
	const owner = "ann"
	others := create(t, s, login(owner, 0, set("a", "1")))
	damages := map[string]string{
		"a short token":        `UPDATE %s SET token = 'short' WHERE id = $1`,
		"no token":             `UPDATE %s SET token = '' WHERE id = $1`,
		"a list of labels":     `UPDATE %s SET labels = '["x"]' WHERE id = $1`,
		"labels of numbers":    `UPDATE %s SET labels = '{"a": 1}' WHERE id = $1`,
		"nested labels":        `UPDATE %s SET labels = '{"a": {"b": "c"}}' WHERE id = $1`,
		"null as labels":       `UPDATE %s SET labels = 'null' WHERE id = $1`,
		"an infinite end":      `UPDATE %s SET ends = 'infinity', lapses = 'infinity' WHERE id = $1`,
		"an infinite creation": `UPDATE %s SET created = '-infinity' WHERE id = $1`,
		"an end BC":            `UPDATE %s SET ends = '0044-03-15 BC' WHERE id = $1`,
		"last seen BC":         `UPDATE %s SET idle = 100000000000000000 WHERE id = $1`,
		"the longest idle":     `UPDATE %s SET idle = 9223372036854775807 WHERE id = $1`,
		"a negative idle":      `UPDATE %s SET idle = -1 WHERE id = $1`,
	}
	for _, data := range damagedData {
		damages["data "+data[:min(len(data), 40)]] = `UPDATE %s SET data = '` + data + `' WHERE id = $1`
	}
	for name, sql := range damages {
		t.Run(name, func(t *testing.T) {
			c := login(owner, 0, set("a", "1"))
			c.Labels = map[string]string{"device": "laptop"}
			r := create(t, s, c)
			exec(t, pool, sql, r.ID.String())
			wantDamage(t, s, r)
			wantSound(t, s, others, owner)
			check(t, s.End(t.Context(), r.ID, store.Revoked))
			const live = "SELECT count(*) FROM %s WHERE id = $1 AND least(lapses, ends) > now()"
			if value[int](t, pool, live, r.ID.String()) > 0 {
				t.Error("the damaged session can't be ended")
			}
			exec(t, pool, "DELETE FROM %s WHERE id = $1", r.ID.String())
		})
	}
}

// wantDamage tests that loads of a damaged session and commits to it fail.
func wantDamage(t *testing.T, s store.Store, r *store.Record) {
	t.Helper()
	got, err := s.Load(t.Context(), r.Token)
	if err == nil {
		t.Errorf("Load: got %+v, want an error", got)
	}
	for name, c := range map[string]*store.Change{
		"set":    {Edits: []store.Edit{set("c", "2")}},
		"add":    {Edits: []store.Edit{add("n", 1)}},
		"delete": {Edits: []store.Edit{{Name: "z", Op: store.Delete}}},
		"touch":  {Touched: true},
		"renew":  {RenewTo: newToken()},
	} {
		if got, err := s.Commit(t.Context(), r.Token, c); err == nil || errors.Is(err, store.ErrOutcomeUnknown) {
			t.Errorf("%s: got %+v, %v, want an error with a known outcome", name, got, err)
		}
	}
}

// wantSound tests that loads, commits, lists and sweeps of a sound session work.
func wantSound(t *testing.T, s interface {
	store.Store
	store.Lister
	store.Sweeper
}, r *store.Record, owner string) {
	t.Helper()
	load(t, s, r.Token)
	commit(t, s, r.Token, &store.Change{Edits: []store.Edit{add("a", 1)}})
	for _, f := range []store.Filter{{All: true}, {Owner: owner}} {
		found := 0
		for got, err := range s.List(t.Context(), f) {
			check(t, err)
			if got.ID == r.ID {
				found++
			} else {
				t.Errorf("List %+v: got the damaged session", f)
			}
		}
		if found != 1 {
			t.Errorf("List %+v: got the sound session %d times, want once", f, found)
		}
	}
	check(t, errOf(s.Sweep(t.Context())))
}

func TestLongestTimeouts(t *testing.T) {
	s, _ := newStore(t)
	longest := time.Duration(1<<63 - 1).Truncate(time.Microsecond)
	r := create(t, s, creation())
	commit(t, s, r.Token, &store.Change{IdleTimeout: longest, Lifetime: longest})
	commit(t, s, r.Token, &store.Change{Touched: true})
	got := load(t, s, r.Token)
	if got.IdleTimeout != longest || got.Lifetime.Round(time.Millisecond) != longest.Round(time.Millisecond) {
		t.Errorf("got timeouts %v and %v, want %v", got.IdleTimeout, got.Lifetime, longest)
	}
	check(t, errOf(s.Sweep(t.Context())))
}

// A huge value slows down or fails only its own session.
func TestHugeRow(t *testing.T) {
	s, pool := newStore(t)
	r, other := create(t, s, creation()), create(t, s, creation(set("a", "1")))
	exec(t, pool, `UPDATE %s SET data = jsonb_build_object('a', repeat('x', 30000000), 'b', 1) WHERE id = $1`,
		r.ID.String())
	if doc, ok := load(t, s, r.Token).Values.Get("a"); !ok || len(doc) != 30000002 {
		t.Errorf("got %d bytes, want 30000002", len(doc))
	}
	load(t, s, other.Token)
	check(t, s.End(t.Context(), r.ID, store.Revoked))
}
