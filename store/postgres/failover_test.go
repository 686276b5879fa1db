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

// oneCall is the timeout of a request's call of the store.
const oneCall = time.Second

// try calls the store as a request does, and tests that the call ends at its timeout.
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

// wantBack waits until reads and writes work again. docs/faults.md has the times.
func wantBack(t *testing.T, s store.Store, token store.Token) {
	t.Helper()
	eventually(t, patience, "reads and writes work again", func(context.Context) error {
		return try(t, func(ctx context.Context) error {
			_, loadErr := s.Load(ctx, token)
			_, commitErr := s.Commit(ctx, token, &store.Change{Edits: []store.Edit{set("back", "1")}})
			return errors.Join(loadErr, commitErr)
		})
	})
}

// hosts returns a connection string with the addresses of two clusters, as for a failover.
func hosts(t *testing.T, first, second, settings string) string {
	t.Helper()
	a, err := url.Parse(first)
	check(t, err)
	b, err := url.Parse(second)
	check(t, err)
	return strings.Replace(first, a.Host, a.Host+","+b.Host, 1) + "?target_session_attrs=read-write" + settings
}

// While the server is down, calls return an error at their timeout. After a restart the same Store works again.
func TestCrash(t *testing.T) {
	c := pgtest.New(t)
	s := open(t, pgtest.Connect(t, c.URL("postgres")), silent)
	d := keepDiary(t, s)
	r := create(t, s, creation())
	for i, end := range []func() error{c.Kill, c.Stop} {
		commit(t, s, r.Token, &store.Change{Edits: []store.Edit{add("n", 1)}})
		before := counted(t, s, r.Token)
		check(t, end())
		// The server's other processes may answer for a short time. The first error resets the pool.
		eventually(t, patience, "it is down", func(context.Context) error {
			if try(t, s.Ping) == nil {
				return errors.New("it still answers")
			}
			return nil
		})
		for range 3 {
			for name, call := range map[string]func(ctx context.Context) error{
				"Load": func(ctx context.Context) error { return errOf(s.Load(ctx, r.Token)) },
				"Commit": func(ctx context.Context) error {
					return errOf(s.Commit(ctx, r.Token, &store.Change{Touched: true}))
				},
				"End":   func(ctx context.Context) error { return s.End(ctx, newID(), store.Revoked) },
				"Sweep": func(ctx context.Context) error { return errOf(s.Sweep(ctx)) },
				"Ping":  s.Ping,
				"List": func(ctx context.Context) error {
					for _, err := range s.List(ctx, store.Filter{All: true}) {
						return err
					}
					return nil
				},
			} {
				err := try(t, call)
				if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrRetired) {
					t.Errorf("%s without a server: got %v, want another error", name, err)
				}
			}
		}
		check(t, c.Start())
		wantBack(t, s, r.Token)
		if got := counted(t, s, r.Token); got != before {
			t.Errorf("counted %s before and %s after the restart", before, got)
		}
		wantEvents(t, d, c.URL("postgres"))
		if n, want := d.missed(), 2*(i+1); n < want { // an End with an unknown outcome adds one
			t.Errorf("got %d Missed events, want %d: one for each loss and each return", n, want)
		}
	}
}

// withStandby returns a primary, its standby, and a Store that has both in its connection string.
func withStandby(t *testing.T) (primary, standby *pgtest.Cluster, s *postgres.Store) {
	t.Helper()
	primary = pgtest.New(t)
	standby = primary.Standby(t)
	both := hosts(t, primary.URL("postgres"), standby.URL("postgres"), "&connect_timeout=2")
	return primary, standby, open(t, pgtest.Connect(t, both), silent)
}

// The primary dies and its standby is promoted.
func TestFailover(t *testing.T) {
	primary, standby, s := withStandby(t)
	d := keepDiary(t, s)
	r := create(t, s, creation())
	wantOnStandby(t, standby, r.Token)
	o := &postgres.Options{Listen: standby.URL("postgres")}
	if _, err := postgres.Open(t.Context(), pgtest.Connect(t, primary.URL("postgres")), o); err == nil {
		t.Error("Open listens on a standby, which has no events")
	}

	check(t, primary.Kill())
	if err := try(t, func(ctx context.Context) error {
		return errOf(s.Commit(ctx, r.Token, &store.Change{Touched: true}))
	}); err == nil {
		t.Error("a commit without a primary succeeded")
	}
	check(t, standby.Promote())
	wantBack(t, s, r.Token)
	wantEvents(t, d, standby.URL("postgres"))
}

// The primary runs on, but becomes read-only, and its standby is promoted.
func TestFailoverFromReadOnlyPrimary(t *testing.T) {
	primary, standby, s := withStandby(t)
	d := keepDiary(t, s)
	r := create(t, s, creation())
	for range 3 { // several connections, all of which have to be closed
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

// The primary hangs, and its standby is promoted at once, while statements still wait for the old primary. They end
// before their timeouts, and the next ones reach the new primary.
func TestFailoverFromHangingPrimary(t *testing.T) {
	primary := pgtest.New(t)
	standby := primary.Standby(t)
	p := newProxy(t, primary.URL("postgres"))
	both := hosts(t, p.url(t, primary.URL("postgres")), standby.URL("postgres"), "&connect_timeout=2")
	pool := connectWith(t, both, postgres.FailFast)
	s := open(t, pool, silent)
	d := keepDiary(t, s)
	r := create(t, s, creation())
	wantOnStandby(t, standby, r.Token)

	most := fillPool(t, pool)
	p.mute.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var waiting sync.WaitGroup
	for range 2 * most {
		waiting.Go(func() {
			_, err := s.Commit(ctx, r.Token, &store.Change{Touched: true})
			t.Logf("a commit during the failover: %v", err)
		})
	}
	eventually(t, patience, "the commits wait", func(context.Context) error {
		if n := pool.Stat().AcquiredConns(); n != most {
			return fmt.Errorf("%d connections are in use, want %d", n, most)
		}
		return nil
	})
	check(t, standby.Promote())
	waiting.Wait()
	if ctx.Err() != nil {
		t.Error("the commits waited until their timeout")
	}
	wantBack(t, s, r.Token)
	wantEvents(t, d, standby.URL("postgres"))
}

// fillPool opens all connections that a pool may have.
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
	eventually(t, patience, "the standby has the session", func(ctx context.Context) error {
		var found bool // an error if the table is missing
		err := pool.QueryRow(ctx, "SELECT true FROM session_sessions WHERE token = $1", token[:]).Scan(&found)
		return err
	})
}

// wantEvents waits until events arrive of another server, which uses the new primary.
func wantEvents(t *testing.T, d *diary, primary string) {
	t.Helper()
	other := open(t, pgtest.Connect(t, primary), noListen)
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
		return errors.New("no event has arrived")
	})
	if d.missed() < 2 {
		t.Errorf("got %+v, want Missed events for the loss and the return", d.all())
	}
}
