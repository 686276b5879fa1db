package postgres_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

// A tracer keeps what a pool has sent. What goes at once is one entry, of several lines.
type tracer struct {
	mu   sync.Mutex
	sent []string
}

func (tr *tracer) add(sql string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.sent = append(tr.sent, sql)
}

func (tr *tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	tr.add(q.SQL)
	return ctx
}

func (*tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (tr *tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, b pgx.TraceBatchStartData) context.Context {
	var all []string
	for _, q := range b.Batch.QueuedQueries {
		all = append(all, q.SQL)
	}
	tr.add(strings.Join(all, ";\n"))
	return ctx
}

func (*tracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (*tracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

func (tr *tracer) take() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	defer func() { tr.sent = nil }()
	return slices.Clone(tr.sent)
}

// tracedStore returns a Store whose tracer sees all it sends, each entry being one round trip.
func tracedStore(t *testing.T) (*postgres.Store, *tracer) {
	t.Helper()
	return tracedStoreOn(t, pgtest.Shared(t).Database(t))
}

func tracedStoreOn(t *testing.T, url string) (*postgres.Store, *tracer) {
	t.Helper()
	tr := new(tracer)
	cfg, err := pgxpool.ParseConfig(url)
	check(t, err)
	cfg.ConnConfig.Tracer = tr
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	check(t, err)
	t.Cleanup(pool.Close)
	s := open(t, pool, &postgres.Options{NoListen: true})
	tr.take()
	return s, tr
}

func TestRoundTrips(t *testing.T) {
	s, tr := tracedStore(t)
	owner, ctx := "ann", t.Context()
	r := create(t, s, creation(set("a", "1")))
	tr.take()
	ok := func(_ any, err error) error { return err }
	change := func(c *store.Change) func() error {
		return func() error { return ok(s.Commit(ctx, r.Token, c)) }
	}
	limited := creation()
	limited.Owner, limited.MaxPerOwner = &owner, 2
	next := newToken()
	for _, tt := range []struct {
		name  string
		do    func() error
		reads int
		want  int
	}{
		{"load", func() error { return ok(s.Load(ctx, r.Token)) }, 1, 1},
		{"load of what is not there, which may be retired", func() error {
			if _, err := s.Load(ctx, newToken()); !errors.Is(err, store.ErrNotFound) {
				return errors.New("found")
			}
			return nil
		}, 2, 2},
		{"create", func() error { return ok(s.Commit(ctx, newToken(), creation(set("a", "1"), add("n", 2)))) }, 0, 1},
		{"login", change(&store.Change{Owner: new("bob")}), 0, 1},
		{"touch", change(&store.Change{Touched: true}), 0, 1},
		{"set", change(&store.Change{Touched: true, Edits: []store.Edit{set("a", `{"x":1}`), set("b", "2")}}), 0, 1},
		{"add", change(&store.Change{Edits: []store.Edit{add("n", 1)}}), 0, 1},
		{"adds", change(&store.Change{Edits: []store.Edit{add("m", 1), add("n", 1)}}), 0, 1},
		{"everything", change(&store.Change{Touched: true, Cleared: true, Owner: &owner, Persistent: new(true), IdleTimeout: 2e12, Lifetime: 3e12,
			Labels: map[string]string{"a": "b", "c": ""}, Edits: []store.Edit{{Name: "a", Op: store.Delete}, set("b", "2"), add("n", 1)}}), 0, 1},
		{"nothing", change(&store.Change{}), 1, 1},
		{"renew", change(&store.Change{RenewTo: next}), 0, 1},
		{"end", func() error { return s.End(ctx, r.ID, store.LoggedOut) }, 0, 1},
		{"create under a limit", func() error { return ok(s.Commit(ctx, newToken(), limited)) }, 0, 1},
		{"end all", func() error { return ok(s.EndOwner(ctx, owner, nil, store.Revoked)) }, 0, 1},
		{"end all of nobody", func() error { return ok(s.EndOwner(ctx, "", nil, store.Revoked)) }, 0, 0},
		{"list of nobody", func() error {
			for range s.List(ctx, store.Filter{}) {
				return errors.New("found")
			}
			return nil
		}, 0, 0},
		{"sweep that finds nothing", func() error { return ok(s.Sweep(ctx)) }, 1, 2},
	} {
		check(t, tt.do())
		sent := tr.take()
		if len(sent) != tt.want {
			t.Errorf("%s: got %d round trips, want %d:\n%s", tt.name, len(sent), tt.want, strings.Join(sent, "\n"))
		}
		reads := 0
		for _, sql := range sent {
			if strings.HasPrefix(sql, "SELECT") && !strings.Contains(sql, "lock") {
				reads++
			}
		}
		if reads != tt.reads {
			t.Errorf("%s: got %d that only read, want %d:\n%s", tt.name, reads, tt.reads, strings.Join(sent, "\n"))
		}
	}
}

// To bring back a row takes a tenth of a commit's time.
func TestNoRowIsReturnedThatNobodyWants(t *testing.T) {
	s, tr := tracedStore(t)
	r := create(t, s, creation())
	tr.take()
	owner := "ann"
	for _, tt := range []struct {
		change *store.Change
		want   bool
	}{
		{&store.Change{Edits: []store.Edit{set("a", "1")}}, true},
		{&store.Change{NoRecord: true, Edits: []store.Edit{set("a", "1")}}, false},
		{&store.Change{NoRecord: true, Touched: true}, false},
		{&store.Change{NoRecord: true, Owner: &owner}, false},
		{&store.Change{NoRecord: true, Owner: &owner, MaxPerOwner: 2}, true}, // its ID says which is not to be evicted
		{&store.Change{NoRecord: true, RenewTo: newToken()}, true},
	} {
		_, err := s.Commit(t.Context(), r.Token, tt.change)
		check(t, err)
		sent := strings.Join(tr.take(), "\n")
		if got := strings.Contains(sent, "RETURNING s.created"); got != tt.want {
			t.Errorf("%+v: got a row: %v, want %v:\n%s", tt.change, got, tt.want, sent)
		}
	}
}

// A notification takes a lock that all commits of a database share, so only what ends or renews a session sends one.
func TestFewStatementsNotify(t *testing.T) {
	s, tr := tracedStore(t)
	r := create(t, s, creation())
	commit(t, s, r.Token, &store.Change{Touched: true, Owner: new("ann"), Edits: []store.Edit{set("a", "1"), add("n", 1)}})
	load(t, s, r.Token)
	for _, sql := range tr.take() {
		if strings.Contains(sql, "pg_notify") {
			t.Errorf("it notifies: %s", sql)
		}
	}
}
