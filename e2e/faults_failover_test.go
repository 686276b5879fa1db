package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lazysession/session/internal/pgtest"
)

// A pair is a primary and a standby that has what the primary acknowledges.
type pair struct {
	*site
	standby *pgtest.Cluster
}

func startPair(t *testing.T) *pair {
	t.Helper()
	s := &site{cluster: pgtest.New(t)}
	s.url = s.cluster.Database(t)
	p := &pair{site: s, standby: s.cluster.Standby(t)}
	// Only now, or the standby would wait for a standby of its own when it is promoted.
	sql(t, s.url, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		state := ask(t, s.url, "SELECT coalesce(max(sync_state), '') FROM pg_stat_replication")
		if state == "sync" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("replication is %q, want it synchronous", state)
		}
	}
	s.serve(t, func(url string) string {
		both := withHosts(t, url, hostOf(t, url)+","+hostOf(t, p.standby.URL("")))
		return withSettings(both, "target_session_attrs=read-write", "connect_timeout=2")
	})
	return p
}

// promote takes the time that somebody needs to notice, and returns when the standby takes writes.
func (p *pair) promote(t *testing.T) time.Time {
	t.Helper()
	time.Sleep(500 * time.Millisecond)
	must(t, "promoting the standby", p.standby.Promote())
	ask(t, p.standby.URL("postgres"), "SELECT current_database()")
	return time.Now()
}

func primaryKilled(t *testing.T) result {
	p := startPair(t)
	must(t, "killing the primary", p.cluster.Kill())
	return p.finish(p.promote(t))
}

func primaryHangs(t *testing.T) result {
	p := startPair(t)
	signalAll(t, p.url, syscall.SIGSTOP)
	t.Cleanup(func() {
		must(t, "killing the old primary", p.cluster.Kill()) // it would wait for its standby for ever
		resumeStopped()
	})
	// At once: had every statement of the servers met the hang and given up, they would be back much sooner.
	must(t, "promoting the standby", p.standby.Promote())
	return p.finish(time.Now())
}

func primaryReadOnly(t *testing.T) result {
	p := startPair(t)
	sql(t, p.url, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
	r := p.finish(p.promote(t))
	if old := ask(t, p.url, "SHOW transaction_read_only"); !strings.EqualFold(old, "on") {
		t.Error("the old primary takes writes: the test is wrong")
	}
	return r
}
