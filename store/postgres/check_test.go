package postgres_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

// A farm that has missed events asks for all its sessions at once, so each statement asks for many.
func TestCheckLiveSendsAStatementForEachThousand(t *testing.T) {
	s, tr := tracedStore(t)
	ids := make([]store.ID, 2500)
	for i := range ids {
		ids[i] = newID()
	}
	r := create(t, s, creation())
	ids[2400] = r.ID
	tr.take()
	for _, tt := range []struct {
		name string
		ids  []store.ID
		want int
	}{
		{"none", nil, 0}, {"one", ids[:1], 1}, {"a thousand", ids[:1000], 1}, {"one more", ids[:1001], 2},
		{"many", ids, 3}, {"the same again and again", slices.Repeat(ids[:1], 3000), 1},
	} {
		_, err := s.CheckLive(t.Context(), tt.ids)
		check(t, err)
		if sent := tr.take(); len(sent) != tt.want {
			t.Errorf("CheckLive of %s: got %d round trips, want %d:\n%s", tt.name, len(sent), tt.want, strings.Join(sent, "\n"))
		}
	}
	live, err := s.CheckLive(t.Context(), ids)
	check(t, err)
	if !slices.Equal(live, []store.ID{r.ID}) {
		t.Errorf("CheckLive: got %v, want %v", live, r.ID)
	}
}

func TestCheckLiveUsesThePrimaryKey(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	s, tr := tracedStoreOn(t, address)
	_, err := s.CheckLive(t.Context(), []store.ID{newID()})
	check(t, err)
	pool := pgtest.Connect(t, address+"?pool_max_conns=1&default_query_exec_mode=simple_protocol"+
		"&plan_cache_mode=force_generic_plan&enable_seqscan=off")
	plan := explain(t, pool, tr.take()[0])
	if !strings.Contains(plan, `"session_sessions_pkey"`) || strings.Contains(plan, `"Seq Scan"`) {
		t.Errorf("CheckLive does without the primary key:\n%s", plan)
	}
}

// The end of a session is judged by the database's clock, as in a load.
func TestCheckLiveGoesByTheDatabasesClock(t *testing.T) {
	s, pool := newStore(t)
	lapsed, over, live := create(t, s, creation()), create(t, s, creation()), create(t, s, creation())
	exec(t, pool, "UPDATE %s SET lapses = now() WHERE id = $1", lapsed.ID.String())
	exec(t, pool, "UPDATE %s SET ends = now() WHERE id = $1", over.ID.String())
	got, err := s.CheckLive(t.Context(), []store.ID{lapsed.ID, over.ID, live.ID})
	check(t, err)
	if !slices.Equal(got, []store.ID{live.ID}) {
		t.Errorf("CheckLive: got %v, want only %v", got, live.ID)
	}
}

// After a failover the pool's connections are dead. The check that follows is not to fail by them.
func TestCheckLiveOnADeadConnection(t *testing.T) {
	direct := pgtest.Shared(t).Database(t)
	cfg, err := pgxpool.ParseConfig(direct)
	check(t, err)
	cfg.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	check(t, err)
	t.Cleanup(pool.Close)
	s := open(t, pool, &postgres.Options{NoListen: true, Logger: silent.Logger})
	r := create(t, s, creation())
	exec(t, pgtest.Connect(t, direct), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"+
		" WHERE datname = current_database() AND pid <> pg_backend_pid()")
	got, err := s.CheckLive(t.Context(), []store.ID{r.ID})
	check(t, err)
	if !slices.Equal(got, []store.ID{r.ID}) {
		t.Errorf("CheckLive: got %v, want %v", got, r.ID)
	}
}

func TestCheckLiveWithoutServer(t *testing.T) {
	s, pool := newStore(t)
	r := create(t, s, creation())
	pool.Close()
	if got, err := s.CheckLive(t.Context(), []store.ID{r.ID}); err == nil || got != nil {
		t.Errorf("CheckLive: got %v and error %v, want an error and no IDs", got, err)
	}
}
