package postgres_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
)

// A farm that has missed events checks all its sessions at once, so each statement checks many.
func TestCheckLiveSendsOneStatementPerThousand(t *testing.T) {
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
		{"none", nil, 0}, {"one", ids[:1], 1}, {"a thousand", ids[:1000], 1}, {"a thousand and one", ids[:1001], 2},
		{"2,500", ids, 3}, {"the same ID 3,000 times", slices.Repeat(ids[:1], 3000), 1},
	} {
		check(t, errOf(s.CheckLive(t.Context(), tt.ids)))
		if sent := tr.take(); len(sent) != tt.want {
			t.Errorf("CheckLive of %s: got %d round trips, want %d:\n%s",
				tt.name, len(sent), tt.want, strings.Join(sent, "\n"))
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
	check(t, errOf(s.CheckLive(t.Context(), []store.ID{newID()})))
	plan := explain(t, genericPlans(t, address), tr.take()[0])
	if !strings.Contains(plan, `"session_sessions_pkey"`) || strings.Contains(plan, `"Seq Scan"`) {
		t.Errorf("CheckLive doesn't use the primary key:\n%s", plan)
	}
}

// As in a load, the database's clock decides whether a session has ended.
func TestCheckLiveUsesTheDatabasesClock(t *testing.T) {
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

// After a failover the pool's connections are dead. CheckLive still works.
func TestCheckLiveOnDeadConnection(t *testing.T) {
	direct := pgtest.Shared(t).Database(t)
	s := open(t, pgtest.Connect(t, direct+"?pool_max_conns=1"), noListen)
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
