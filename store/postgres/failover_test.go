package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

// oneCall is the time that a request gives to one call of the store.
const oneCall = time.Second

// try makes a call of the store as a request does, and tests that it ends when its time is up.
func try(t *testing.T, call func(ctx context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), oneCall)
	defer cancel()
	start := time.Now()
	err := call(ctx)
	if took := time.Since(start); took > oneCall+patience {
		t.Errorf("an answer after %v: %v", took, err)
	}
	return err
}

// wantBack tests that reads and writes work again. How soon they do, docs/faults.md tells.
func wantBack(t *testing.T, s store.Store, token store.Token) {
	t.Helper()
	eventually(t, patience, "it is back", func(context.Context) error {
		return try(t, func(ctx context.Context) error {
			_, loadErr := s.Load(ctx, token)
			_, commitErr := s.Commit(ctx, token, &store.Change{Edits: []store.Edit{set("back", "1")}})
			return errors.Join(loadErr, commitErr)
		})
	})
}

// hosts joins the addresses of clusters to one connection string, as for a failover.
func hosts(t *testing.T, first, second, settings string) string {
	t.Helper()
	a, err := url.Parse(first)
	check(t, err)
	b, err := url.Parse(second)
	check(t, err)
	return strings.Replace(first, a.Host, a.Host+","+b.Host, 1) + "?target_session_attrs=read-write" + settings
}

// A server that crashes is an error in good time, and once it is there again the same Store goes on.
func TestCrash(t *testing.T) {
	c := pgtest.New(t)
	s := open(t, pgtest.Connect(t, c.URL("postgres")), silent)
	d := keepDiary(t, s)
	r := create(t, s, creation())
	for i, end := range []func() error{c.Kill, c.Stop} {
		counts := func() string {
			n, _ := load(t, s, r.Token).Values.Get("n")
			return n
		}
		commit(t, s, r.Token, &store.Change{Edits: []store.Edit{add("n", 1)}})
		before := counts()
		check(t, end())
		// The server's other processes may answer until they notice. An error lets go of them all.
		eventually(t, patience, "it is down", func(context.Context) error {
			if try(t, s.Ping) == nil {
				return errors.New("it answers")
			}
			return nil
		})
		for range 3 {
			for name, call := range map[string]func(ctx context.Context) error{
				"Load": func(ctx context.Context) error { _, err := s.Load(ctx, r.Token); return err },
				"Commit": func(ctx context.Context) error {
					_, err := s.Commit(ctx, r.Token, &store.Change{Touched: true})
					return err
				},
				"End":   func(ctx context.Context) error { return s.End(ctx, newID(), store.Revoked) },
				"Sweep": func(ctx context.Context) error { _, err := s.Sweep(ctx); return err },
				"Ping":  s.Ping,
				"List": func(ctx context.Context) error {
					for _, err := range s.List(ctx, store.Filter{All: true}) {
						return err
					}
					return nil
				},
			} {
				if err := try(t, call); err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrRetired) {
					t.Errorf("%s without a server: got %v, want an error of its own", name, err)
				}
			}
		}
		check(t, c.Start())
		wantBack(t, s, r.Token)
		if got := counts(); got != before {
			t.Errorf("counted %s before and %s after it", before, got)
		}
		wantEvents(t, d, c.URL("postgres"))
		if n, want := d.missed(), 2*(i+1); n < want { // more where it was not known whether an End was applied
			t.Errorf("told %d times that events were missed, want %d: at each loss and each return", n, want)
		}
	}
}

// The primary dies and its standby takes over.
func TestFailover(t *testing.T) {
	primary := pgtest.New(t)
	standby := primary.Standby(t)
	s := open(t, pgtest.Connect(t, hosts(t, primary.URL("postgres"), standby.URL("postgres"), "&connect_timeout=2")), silent)
	d := keepDiary(t, s)
	r := create(t, s, creation())
	wantOnStandby(t, standby, r.Token)
	if _, err := postgres.Open(t.Context(), pgtest.Connect(t, primary.URL("postgres")), &postgres.Options{Listen: standby.URL("postgres")}); err == nil {
		t.Error("a Store listens on a standby, which tells of nothing")
	}

	check(t, primary.Kill())
	if err := try(t, func(ctx context.Context) error {
		_, err := s.Commit(ctx, r.Token, &store.Change{Touched: true})
		return err
	}); err == nil {
		t.Error("a commit without a primary succeeded")
	}
	check(t, standby.Promote())
	wantBack(t, s, r.Token)
	wantEvents(t, d, standby.URL("postgres"))
}

// The primary lives on, but takes no more writes: its successor does.
func TestFailoverFromLivingPrimary(t *testing.T) {
	primary := pgtest.New(t)
	standby := primary.Standby(t)
	s := open(t, pgtest.Connect(t, hosts(t, primary.URL("postgres"), standby.URL("postgres"), "&connect_timeout=2")), silent)
	d := keepDiary(t, s)
	r := create(t, s, creation())
	for range 3 { // several connections, all of which have to go
		go s.Ping(t.Context())
	}
	wantOnStandby(t, standby, r.Token)

	admin := pgtest.Connect(t, primary.URL("postgres"))
	exec(t, admin, "ALTER SYSTEM SET default_transaction_read_only = on")
	exec(t, admin, "SELECT pg_reload_conf()")
	check(t, standby.Promote())
	wantBack(t, s, r.Token)
	wantEvents(t, d, standby.URL("postgres"))
}

// The primary hangs, and its standby is promoted at once: statements still wait for the old primary, and no time-out
// has told anybody of it. They end all the same, and what comes next finds the successor.
func TestFailoverFromHangingPrimary(t *testing.T) {
	primary := pgtest.New(t)
	standby := primary.Standby(t)
	way := newProxy(t, primary.URL("postgres"))
	cfg, err := pgxpool.ParseConfig(hosts(t, way.url(t, primary.URL("postgres")), standby.URL("postgres"), "&connect_timeout=2"))
	check(t, err)
	postgres.FailFast(cfg)
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	check(t, err)
	t.Cleanup(pool.Close)
	s := open(t, pool, silent)
	d := keepDiary(t, s)
	r := create(t, s, creation())
	wantOnStandby(t, standby, r.Token)

	most := fillPool(t, pool)
	way.mute.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var waiting sync.WaitGroup
	for range 2 * most {
		waiting.Go(func() {
			_, err := s.Commit(ctx, r.Token, &store.Change{Touched: true})
			t.Logf("a commit that the failover met: %v", err)
		})
	}
	eventually(t, patience, "they wait", func(context.Context) error {
		if n := pool.Stat().AcquiredConns(); n != most {
			return fmt.Errorf("%d connections are in use, want %d", n, most)
		}
		return nil
	})
	check(t, standby.Promote())
	waiting.Wait()
	if ctx.Err() != nil {
		t.Error("they waited until their own time was up")
	}
	wantBack(t, s, r.Token)
	wantEvents(t, d, standby.URL("postgres"))
}

// fillPool makes all the connections that a pool may have.
func fillPool(t *testing.T, pool *pgxpool.Pool) (most int32) {
	t.Helper()
	most = pool.Config().MaxConns
	for range most {
		conn, err := pool.Acquire(t.Context())
		check(t, err)
		defer conn.Release()
	}
	return most
}

// wantOnStandby waits until a standby has a session.
func wantOnStandby(t *testing.T, standby *pgtest.Cluster, token store.Token) {
	t.Helper()
	pool := pgtest.Connect(t, standby.URL("postgres"))
	eventually(t, patience, "the standby has it", func(ctx context.Context) error {
		var found bool
		err := pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM session_sessions WHERE token = $1)", token[:]).Scan(&found)
		if err == nil && !found {
			err = errors.New("it is not there")
		}
		return err
	})
}

// wantEvents tests that events of another server, which has found the new primary, arrive.
func wantEvents(t *testing.T, d *diary, primary string) {
	t.Helper()
	other := open(t, pgtest.Connect(t, primary), &postgres.Options{NoListen: true})
	ended := make(map[store.ID]bool)
	eventually(t, patience, "an event arrives", func(context.Context) error {
		r := create(t, other, creation())
		check(t, other.End(t.Context(), r.ID, store.Revoked))
		ended[r.ID] = true
		for _, e := range d.all() {
			if ended[e.ID] {
				return nil
			}
		}
		return errors.New("it does not")
	})
	if d.missed() < 2 {
		t.Errorf("told %+v, want of events that were missed, at the loss and at the return", d.all())
	}
}
