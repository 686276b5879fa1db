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

// A tracer records the statements of a pool. Those that are sent at once are one entry.
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

// take returns the entries since the last call.
func (tr *tracer) take() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	defer func() { tr.sent = nil }()
	return slices.Clone(tr.sent)
}

// tracedStore returns a Store and the tracer of its pool. Each entry is one round trip.
func tracedStore(t *testing.T) (*postgres.Store, *tracer) {
	t.Helper()
	return tracedStoreOn(t, pgtest.Shared(t).Database(t))
}

func tracedStoreOn(t *testing.T, url string) (*postgres.Store, *tracer) {
	t.Helper()
	tr := new(tracer)
	pool := connectWith(t, url, func(cfg *pgxpool.Config) { cfg.ConnConfig.Tracer = tr })
	s := open(t, pool, noListen)
	tr.take()
	return s, tr
}

func TestRoundTrips(t *testing.T) {
	s, tr := tracedStore(t)
	owner, ctx := "ann", t.Context()
	r := create(t, s, creation(set("a", "1")))
	tr.take()
	change := func(c *store.Change) func() error {
		return func() error { return errOf(s.Commit(ctx, r.Token, c)) }
	}
	next := newToken()
	for _, tt := range []struct {
		name  string
		do    func() error
		reads int
		want  int
	}{
		{"load", func() error { return errOf(s.Load(ctx, r.Token)) }, 1, 1},
		{"load of a token without a row", func() error {
			wantLoadError(t, s, newToken(), store.ErrNotFound)
			return nil
		}, 2, 2},
		{"create", func() error {
			return errOf(s.Commit(ctx, newToken(), creation(set("a", "1"), add("n", 2))))
		}, 0, 1},
		{"login", change(&store.Change{Owner: new("bob")}), 0, 1},
		{"touch", change(&store.Change{Touched: true}), 0, 1},
		{"set", change(&store.Change{Touched: true, Edits: []store.Edit{set("a", `{"x":1}`), set("b", "2")}}), 0, 1},
		{"add", change(&store.Change{Edits: []store.Edit{add("n", 1)}}), 0, 1},
		{"adds", change(&store.Change{Edits: []store.Edit{add("m", 1), add("n", 1)}}), 0, 1},
		{"everything", change(&store.Change{
			Touched: true, Cleared: true, Owner: &owner, Persistent: new(true), IdleTimeout: 2e12, Lifetime: 3e12,
			Labels: map[string]string{"a": "b", "c": ""},
			Edits:  []store.Edit{{Name: "a", Op: store.Delete}, set("b", "2"), add("n", 1)},
		}), 0, 1},
		{"nothing", change(&store.Change{}), 1, 1},
		{"renew", change(&store.Change{RenewTo: next}), 0, 1},
		{"end", func() error { return s.End(ctx, r.ID, store.LoggedOut) }, 0, 1},
		{"create under a limit", func() error { return errOf(s.Commit(ctx, newToken(), login(owner, 2))) }, 0, 1},
		{"end all", func() error { return errOf(s.EndOwner(ctx, owner, nil, store.Revoked)) }, 0, 1},
		{"end all of the empty owner", func() error { return errOf(s.EndOwner(ctx, "", nil, store.Revoked)) }, 0, 0},
		{"list of the empty owner", func() error {
			for range s.List(ctx, store.Filter{}) {
				return errors.New("found")
			}
			return nil
		}, 0, 0},
		{"sweep that finds nothing", func() error { return errOf(s.Sweep(ctx)) }, 1, 2},
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
			t.Errorf("%s: got %d round trips that only read, want %d:\n%s", tt.name, reads, tt.reads, strings.Join(sent, "\n"))
		}
	}
}

// To return a row takes a tenth of a commit's time, so a commit returns one only if the store needs it.
func TestCommitReturnsRowOnlyIfNeeded(t *testing.T) {
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
		{&store.Change{NoRecord: true, Owner: &owner, MaxPerOwner: 2}, true}, // eviction needs the ID
		{&store.Change{NoRecord: true, RenewTo: newToken()}, true},
	} {
		check(t, errOf(s.Commit(t.Context(), r.Token, tt.change)))
		sent := strings.Join(tr.take(), "\n")
		if got := strings.Contains(sent, "RETURNING s.created"); got != tt.want {
			t.Errorf("%+v: got a row: %v, want %v:\n%s", tt.change, got, tt.want, sent)
		}
	}
}

// A notification takes a lock that all commits of a database share, so only ends and renewals send one.
func TestFewStatementsNotify(t *testing.T) {
	s, tr := tracedStore(t)
	r := create(t, s, creation())
	edits := []store.Edit{set("a", "1"), add("n", 1)}
	commit(t, s, r.Token, &store.Change{Touched: true, Owner: new("ann"), Edits: edits})
	load(t, s, r.Token)
	for _, sql := range tr.take() {
		if strings.Contains(sql, "pg_notify") {
			t.Errorf("a statement notifies: %s", sql)
		}
	}
}
