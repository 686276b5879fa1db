package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

func TestEventsReachOtherServers(t *testing.T) {
	a, b := twoServers(t)
	here, there := keepDiary(t, a), keepDiary(t, b)
	const owner = "ann of the\nnotes 1 2 3 é"
	r := create(t, a, login(owner, 0))
	r = commit(t, a, r.Token, &store.Change{RenewTo: newToken(), Edits: []store.Edit{set("a", "1")}})
	check(t, a.End(t.Context(), r.ID, store.LoggedOut))
	want := []store.Event{
		{Kind: store.Created, ID: r.ID, Owner: owner},
		{Kind: store.Renewed, ID: r.ID, Owner: owner},
		{Kind: store.Ended, ID: r.ID, Owner: owner, Reason: store.LoggedOut},
	}
	there.wait(t, patience, want[1:]...) // a creation is reported only by its own server
	here.wait(t, patience, want...)
}

// If two servers change a session, its events arrive at every server in the order of the changes.
func TestEventsComeInOrder(t *testing.T) {
	a, b := twoServers(t)
	diaries := map[string]*diary{"its own server": keepDiary(t, a), "the other": keepDiary(t, b)}
	for range races {
		c, token := creation(), newToken()
		errs := atOnce(
			func() error { return errOf(a.Commit(t.Context(), token, c)) },
			func() error { return renewAndEnd(t, b, token, c.ID) },
			func() error { return renewAndEnd(t, a, token, c.ID) })
		check(t, errors.Join(errs...))
	}
	for name, d := range diaries {
		eventually(t, patience, "all ends are reported", func(context.Context) error {
			if n := d.count(store.Ended); n != races {
				return fmt.Errorf("got %d, want %d", n, races)
			}
			return nil
		})
		d.wantInOrder(t, name)
	}
}

// renewAndEnd renews a session as soon as it exists, unless another server has renewed it, and ends it.
func renewAndEnd(t *testing.T, s *postgres.Store, token store.Token, id store.ID) error {
	for {
		_, err := s.Commit(t.Context(), token, &store.Change{RenewTo: newToken()})
		switch {
		case err == nil, errors.Is(err, store.ErrRetired):
			return s.End(t.Context(), id, store.Revoked)
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
}

// wantInOrder tests that no event of a session comes before its creation, after its end, or twice.
func (d *diary) wantInOrder(t *testing.T, name string) {
	t.Helper()
	last := make(map[store.ID]store.Kind)
	for _, e := range d.all() {
		if e.Kind <= last[e.ID] {
			t.Fatalf("%s: session %v: got %v after %v", name, e.ID, e.Kind, last[e.ID])
		}
		last[e.ID] = e.Kind
	}
}

// If the answer to a commit is lost, its events may be lost, too. A creation has no notification, for example.
func TestMissedAfterUnknownOutcome(t *testing.T) {
	for _, tt := range []struct {
		name   string
		commit func(s *postgres.Store, r *store.Record) error
		want   int
	}{
		{"a creation", func(s *postgres.Store, r *store.Record) error {
			return errOf(s.Commit(context.Background(), newToken(), creation()))
		}, 1},
		{"a renewal", func(s *postgres.Store, r *store.Record) error {
			return errOf(s.Commit(context.Background(), r.Token, &store.Change{RenewTo: newToken()}))
		}, 1},
		{"an end", func(s *postgres.Store, r *store.Record) error {
			return s.End(context.Background(), r.ID, store.Revoked)
		}, 1},
		{"a value", func(s *postgres.Store, r *store.Record) error {
			c := &store.Change{Edits: []store.Edit{set("a", "1")}}
			return errOf(s.Commit(context.Background(), r.Token, c))
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _, p, _ := proxied(t, "")
			check(t, tt.commit(s, create(t, s, creation()))) // prepares the statement
			r := create(t, s, creation())
			d := keepDiary(t, s)
			p.dropAfter(0)
			if err := tt.commit(s, r); err == nil {
				t.Fatal("the answer was not lost")
			}
			if n := d.missed(); n != tt.want {
				t.Errorf("got %d Missed events, want %d: %+v", n, tt.want, d.all())
			}
		})
	}
}

// The event of an end has its reason.
func TestEndsReachOtherServers(t *testing.T) {
	a, b := twoServers(t)
	there := keepDiary(t, b)
	const owner = "ann"
	first, second := create(t, a, login(owner, 1)), create(t, a, login(owner, 1))
	check(t, errOf(a.EndOwner(t.Context(), owner, nil, store.Revoked)))
	there.wait(t, patience, store.Event{Kind: store.Ended, ID: first.ID, Owner: owner, Reason: store.Evicted},
		store.Event{Kind: store.Ended, ID: second.ID, Owner: owner, Reason: store.Revoked})
}

// listening selects the other connections to this database that listen for events.
const listening = " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()" +
	" AND query LIKE ANY ('{LISTEN%,%transaction_read_only%}')"

func TestListenerReconnects(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	pool := pgtest.Connect(t, address)
	a, b := open(t, pool, noListen), open(t, pgtest.Connect(t, address), silent)
	there := keepDiary(t, b)
	for round := range 3 {
		before := there.all()
		n := value[int](t, pool, "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid"+listening+") x")
		if n != 1 {
			t.Fatalf("round %d: ended %d listening connections, want 1", round, n)
		}
		missed := store.Event{Kind: store.Missed}
		want := append(before, missed, missed) // at the loss, and at the return
		there.wait(t, patience, want...)
		r := create(t, a, creation())
		check(t, a.End(t.Context(), r.ID, store.Revoked))
		there.wait(t, patience, append(want, store.Event{Kind: store.Ended, ID: r.ID, Reason: store.Revoked})...)
	}
}

// A server that became read-only has no events, so the listener leaves it.
func TestListenerLeavesReadOnlyServer(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	pool := pgtest.Connect(t, address)
	p := newProxy(t, address)
	s := open(t, pool, &postgres.Options{Listen: p.url(t, address), Logger: silent.Logger})
	d := keepDiary(t, s)
	alterDatabase(t, pool, "SET default_transaction_read_only = on")
	p.cut()
	missed := store.Event{Kind: store.Missed}
	d.wait(t, patience, missed)
	before := p.accepted.Load()
	eventually(t, patience, "the listener tries to connect 6 times", func(context.Context) error {
		if n := p.accepted.Load() - before; n < 6 {
			return fmt.Errorf("it tried %d times", n)
		}
		return nil
	})
	if got := d.all(); !slices.Equal(got, []store.Event{missed}) {
		t.Errorf("while the server is read-only: got %+v, want only %+v", got, missed)
	}
	exec(t, pool, "SET default_transaction_read_only = off")
	alterDatabase(t, pool, "RESET default_transaction_read_only")
	d.wait(t, patience, missed, missed)
}

// If one host hangs, the listener connects to the other, with and without a connect_timeout.
func TestListenerLeavesHostThatHangs(t *testing.T) {
	for _, settings := range []string{"&connect_timeout=2", ""} {
		t.Run(settings, func(t *testing.T) {
			t.Parallel() // it waits
			direct := pgtest.Shared(t).Database(t)
			p := newProxy(t, direct)
			s := open(t, pgtest.Connect(t, hosts(t, p.url(t, direct), direct, settings)), silent)
			d := keepDiary(t, s)
			p.mute.Store(true)
			p.cut()
			missed := store.Event{Kind: store.Missed}
			d.wait(t, patience, missed, missed)
			wantEvents(t, d, direct)
		})
	}
}

// Open returns an error and leaves no goroutine if it can't listen. The test loses each of the server's answers in
// turn.
func TestOpenWithoutListener(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	pool := pgtest.Connect(t, address)
	check(t, postgres.Migrate(t.Context(), pool, nil))
	p := newProxy(t, address)
	before := goleak.IgnoreCurrent()
	opened := func(listen string) bool {
		s, err := postgres.Open(t.Context(), pool, &postgres.Options{Listen: listen})
		if err == nil {
			check(t, s.Close())
		} else if !strings.Contains(err.Error(), "listening for events") {
			t.Errorf("got %v, want an error about listening for events", err)
		}
		return err == nil
	}
	for _, listen := range []string{"postgres://%", "postgres://127.0.0.1:1/x"} {
		if opened(listen) {
			t.Errorf("Open succeeded without a listener at %s", listen)
		}
	}
	for answers := int32(0); ; answers++ {
		p.dropAfter(answers)
		if opened(p.url(t, address)) {
			break
		}
		if answers > 100 {
			t.Fatal("Open never succeeds")
		}
	}
	p.cut()
	const proxies = "github.com/lazysession/session/store/postgres_test.(*proxy).pass"
	eventually(t, patience, "connections are gone", func(context.Context) error {
		return goleak.Find(before, goleak.IgnoreAnyFunction(proxies))
	})
}

// The listener ignores notifications of other programs on its channel.
func TestForeignNotifications(t *testing.T) {
	pool := pgtest.Pool(t)
	s := open(t, pool, silent)
	d := keepDiary(t, s)
	id := newID().String()
	for _, payload := range []string{
		"", " ", "3", "3 1", "3 1 " + id, "x 1 " + id + " ann", "3 x " + id + " ann", "3 1 x ann",
		"-1 1 " + id + " ann", "256 1 " + id + " ann", "3 256 " + id + " ann", "3 1 " + id[1:] + " ann",
		strings.Repeat("x", 7000),
	} {
		exec(t, pool, "SELECT pg_notify('public.session.events', $1)", payload)
	}
	r := create(t, s, creation())
	check(t, s.End(t.Context(), r.ID, store.LoggedOut))
	d.wait(t, patience, store.Event{Kind: store.Created, ID: r.ID},
		store.Event{Kind: store.Ended, ID: r.ID, Reason: store.LoggedOut})
}

func TestNoListen(t *testing.T) {
	pool := pgtest.Pool(t)
	s := open(t, pool, noListen)
	d := keepDiary(t, s)
	if n := value[int](t, pool, "SELECT count(*)"+listening); n != 0 {
		t.Errorf("%d connections listen, want none", n)
	}
	r := create(t, s, creation())
	check(t, s.End(t.Context(), r.ID, store.LoggedOut))
	want := []store.Event{{Kind: store.Created, ID: r.ID}, {Kind: store.Ended, ID: r.ID, Reason: store.LoggedOut}}
	if got := d.all(); !slices.Equal(got, want) {
		t.Errorf("its own events: got %+v, want %+v", got, want)
	}
}

// The listener also calls the pool's BeforeConnect, which may fetch a password, for example.
func TestListenerCallsBeforeConnect(t *testing.T) {
	pool := connectWith(t, pgtest.Shared(t).Database(t), func(cfg *pgxpool.Config) {
		password := cfg.ConnConfig.Password
		cfg.ConnConfig.Password = "yesterday's"
		cfg.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
			c.Password = password
			return nil
		}
	})
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
		d := keepDiary(t, s)
		load(t, s, create(t, s, creation()).Token)
		check(t, s.Close())
		if d.missed() > 0 {
			t.Error("got a Missed event for Close")
		}
		stacks := make([]byte, 1<<20)
		if stacks = stacks[:runtime.Stack(stacks, true)]; bytes.Contains(stacks, []byte("(*Store).follow")) {
			t.Error("Close did not wait for its goroutine")
		}
		check(t, s.Close()) // a second Close does nothing
	}
	goleak.VerifyNone(t, before)
	eventually(t, patience, "no connection listens", func(context.Context) error {
		if n := value[int](t, pool, "SELECT count(*)"+listening); n != 0 {
			return fmt.Errorf("%d still listen", n)
		}
		return nil
	})
}

// Close returns even while the listener has no server.
func TestCloseWithoutServer(t *testing.T) {
	c := pgtest.New(t)
	s := open(t, pgtest.Connect(t, c.Database(t)), silent)
	d := keepDiary(t, s)
	check(t, c.Kill())
	d.wait(t, patience, store.Event{Kind: store.Missed})
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		check(t, err)
	case <-time.After(patience):
		t.Error("Close waits for a server")
	}
}
