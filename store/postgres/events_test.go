package postgres_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

// soon is how long an event may take to the other servers.
const soon = time.Second

func TestEventsReachOtherServers(t *testing.T) {
	a, b := twoServers(t)
	here, there := keepDiary(t, a), keepDiary(t, b)
	owner := "ann of the\nnotes 1 2 3 é"
	c := creation()
	c.Owner = &owner
	r := create(t, a, c)
	r = commit(t, a, r.Token, &store.Change{RenewTo: newToken(), Edits: []store.Edit{set("a", "1")}})
	check(t, a.End(t.Context(), r.ID, store.LoggedOut))
	told := []store.Event{
		{Kind: store.Created, ID: r.ID, Owner: owner},
		{Kind: store.Renewed, ID: r.ID, Owner: owner},
		{Kind: store.Ended, ID: r.ID, Owner: owner, Reason: store.LoggedOut},
	}
	there.wait(t, soon, told[1:]...) // of a new session only its own server tells
	if got := here.all(); !slices.Equal(got, told) {
		t.Errorf("on its own server: got %+v, want each once: %+v", got, told)
	}
}

// Every way in which a session ends is told with its reason.
func TestEndsReachOtherServers(t *testing.T) {
	a, b := twoServers(t)
	there := keepDiary(t, b)
	owner := "ann"
	login := func() *store.Record {
		c := creation()
		c.Owner, c.MaxPerOwner = &owner, 1
		return create(t, a, c)
	}
	first, second := login(), login()
	_, err := a.EndOwner(t.Context(), owner, nil, store.Revoked)
	check(t, err)
	there.wait(t, soon, store.Event{Kind: store.Ended, ID: first.ID, Owner: owner, Reason: store.Evicted},
		store.Event{Kind: store.Ended, ID: second.ID, Owner: owner, Reason: store.Revoked})
}

// listeners returns how many connections to a pool's database listen.
const listeners = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE ANY ('{LISTEN%,%transaction_read_only%}')"

func TestListenerComesBack(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	pool := pgtest.Connect(t, address)
	a, b := open(t, pool, &postgres.Options{NoListen: true, Logger: silent.Logger}), open(t, pgtest.Connect(t, address), silent)
	there := keepDiary(t, b)
	for round := range 3 {
		before := there.all()
		if n := value[int](t, pool, "SELECT count(pg_terminate_backend(pid)) FROM ("+
			"SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE ANY ('{LISTEN%,%transaction_read_only%}') AND pid <> pg_backend_pid()) x"); n != 1 {
			t.Fatalf("round %d: ended %d listening connections, want 1", round, n)
		}
		want := append(before, store.Event{Kind: store.Missed})
		there.wait(t, 2*time.Second, want...)
		r := create(t, a, creation())
		check(t, a.End(t.Context(), r.ID, store.Revoked))
		there.wait(t, soon, append(want, store.Event{Kind: store.Ended, ID: r.ID, Reason: store.Revoked})...)
	}
}

// Nothing is written to a server that became read-only, so nothing happens there either.
func TestListenerLeavesReadOnlyServer(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	pool := pgtest.Connect(t, address)
	s := open(t, pool, silent)
	d := keepDiary(t, s)
	pid := value[int](t, pool, "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'")
	exec(t, pool, "ALTER DATABASE "+pool.Config().ConnConfig.Database+" SET default_transaction_read_only = on")
	exec(t, pool, "SELECT pg_terminate_backend($1)", pid)
	eventually(t, patience, "it is tried again", func(ctx context.Context) error {
		if value[int](t, pool, "SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid) != 0 {
			return fmt.Errorf("the old connection is still there")
		}
		return nil
	})
	if got := d.all(); len(got) > 0 {
		t.Errorf("told %+v while the server is read-only, want nothing", got)
	}
	exec(t, pool, "SET default_transaction_read_only = off; ALTER DATABASE "+pool.Config().ConnConfig.Database+" RESET default_transaction_read_only")
	d.wait(t, 5*time.Second, store.Event{Kind: store.Missed})
}

func TestNoListen(t *testing.T) {
	pool := pgtest.Pool(t)
	s := open(t, pool, &postgres.Options{NoListen: true})
	d := keepDiary(t, s)
	if n := value[int](t, pool, listeners); n != 0 {
		t.Errorf("%d connections listen, want none", n)
	}
	r := create(t, s, creation())
	check(t, s.End(t.Context(), r.ID, store.LoggedOut))
	want := []store.Event{{Kind: store.Created, ID: r.ID}, {Kind: store.Ended, ID: r.ID, Reason: store.LoggedOut}}
	if got := d.all(); !slices.Equal(got, want) {
		t.Errorf("its own events: got %+v, want %+v", got, want)
	}
}

// What the owner of a pool does before each connection, such as fetching a password, is done for the listener too.
func TestListenerConnectsAsThePool(t *testing.T) {
	cfg, err := pgxpool.ParseConfig(pgtest.Shared(t).Database(t))
	check(t, err)
	password := cfg.ConnConfig.Password
	cfg.ConnConfig.Password = "of yesterday"
	cfg.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		c.Password = password
		return nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	check(t, err)
	t.Cleanup(pool.Close)
	open(t, pool, nil)
}

func TestCloseLeavesNothing(t *testing.T) {
	pool := pgtest.Pool(t)
	check(t, postgres.Migrate(t.Context(), pool, nil))
	check(t, pool.Ping(t.Context()))
	before := goleak.IgnoreCurrent()
	for range 3 {
		s, err := postgres.Open(t.Context(), pool, nil)
		check(t, err)
		load(t, s, create(t, s, creation()).Token)
		check(t, s.Close())
		stacks := make([]byte, 1<<20)
		if stacks = stacks[:runtime.Stack(stacks, true)]; bytes.Contains(stacks, []byte("(*Store).follow")) {
			t.Error("Close did not wait for its goroutine")
		}
		check(t, s.Close()) // once more does no harm
	}
	goleak.VerifyNone(t, before)
	eventually(t, patience, "connections are gone", func(ctx context.Context) error {
		if n := value[int](t, pool, listeners); n != 0 {
			return fmt.Errorf("%d still listen", n)
		}
		return nil
	})
}

// Close may come while the listener is without a server.
func TestCloseWithoutServer(t *testing.T) {
	c := pgtest.New(t)
	s := open(t, pgtest.Connect(t, c.Database(t)), silent)
	check(t, c.Kill())
	start := time.Now()
	check(t, s.Close())
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("Close took %v", took)
	}
}
