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
	there.wait(t, patience, told[1:]...) // of a new session only its own server tells
	here.wait(t, patience, told...)
}

// Of a session in which two servers are at work, every server is told in the order in which things happened.
func TestEventsComeInOrder(t *testing.T) {
	a, b := twoServers(t)
	diaries := map[string]*diary{"its own server": keepDiary(t, a), "the other": keepDiary(t, b)}
	for range races {
		c, token := creation(), newToken()
		errs := atOnce(
			func() error { _, err := a.Commit(t.Context(), token, c); return err },
			func() error { return renewAndEnd(t, b, token, c.ID) },
			func() error { return renewAndEnd(t, a, token, c.ID) })
		check(t, errors.Join(errs...))
	}
	for name, d := range diaries {
		eventually(t, patience, "all ends are told", func(context.Context) error {
			if n := d.count(store.Ended); n != races {
				return fmt.Errorf("%d are, want %d", n, races)
			}
			return nil
		})
		d.wantInOrder(t, name)
	}
}

// renewAndEnd renews a session as soon as it is there, if nobody else does, and ends it.
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

// wantInOrder tests that nothing is told of a session before its creation or after its end, and nothing twice.
func (d *diary) wantInOrder(t *testing.T, name string) {
	t.Helper()
	last := make(map[store.ID]store.Kind)
	for _, e := range d.all() {
		if e.Kind <= last[e.ID] {
			t.Fatalf("%s: told of %v that it was %v after %v", name, e.ID, e.Kind, last[e.ID])
		}
		last[e.ID] = e.Kind
	}
}

// The answer to a commit is lost, and with it the word of a new session, which comes no other way.
func TestMissedWhereTheOutcomeIsUnknown(t *testing.T) {
	for _, tt := range []struct {
		name   string
		commit func(s *postgres.Store, r *store.Record) error
		want   int
	}{
		{"a creation", func(s *postgres.Store, r *store.Record) error {
			_, err := s.Commit(context.Background(), newToken(), creation())
			return err
		}, 1},
		{"a renewal", func(s *postgres.Store, r *store.Record) error {
			_, err := s.Commit(context.Background(), r.Token, &store.Change{RenewTo: newToken()})
			return err
		}, 1},
		{"an end", func(s *postgres.Store, r *store.Record) error {
			return s.End(context.Background(), r.ID, store.Revoked)
		}, 1},
		{"a value", func(s *postgres.Store, r *store.Record) error {
			_, err := s.Commit(context.Background(), r.Token, &store.Change{Edits: []store.Edit{set("a", "1")}})
			return err
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _, p, _ := proxied(t, "")
			check(t, tt.commit(s, create(t, s, creation()))) // so that it is prepared
			r := create(t, s, creation())
			d := keepDiary(t, s)
			p.swallowAfter(0)
			if err := tt.commit(s, r); err == nil {
				t.Fatal("the answer was not lost")
			}
			if n := d.missed(); n != tt.want {
				t.Errorf("told %d times that events may be missing, want %d times: %+v", n, tt.want, d.all())
			}
		})
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
	there.wait(t, patience, store.Event{Kind: store.Ended, ID: first.ID, Owner: owner, Reason: store.Evicted},
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
		missed := store.Event{Kind: store.Missed}
		want := append(before, missed, missed) // at the loss, and at the return
		there.wait(t, patience, want...)
		r := create(t, a, creation())
		check(t, a.End(t.Context(), r.ID, store.Revoked))
		there.wait(t, patience, append(want, store.Event{Kind: store.Ended, ID: r.ID, Reason: store.Revoked})...)
	}
}

// Nothing is written to a server that became read-only, so nothing happens there either.
func TestListenerLeavesReadOnlyServer(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	pool := pgtest.Connect(t, address)
	way := newProxy(t, address)
	s := open(t, pool, &postgres.Options{Listen: way.url(t, address), Logger: silent.Logger})
	d := keepDiary(t, s)
	database := "ALTER DATABASE " + pool.Config().ConnConfig.Database
	exec(t, pool, database+" SET default_transaction_read_only = on")
	way.cut()
	missed := store.Event{Kind: store.Missed}
	d.wait(t, patience, missed)
	before := way.accepted.Load()
	eventually(t, patience, "it is tried again and again", func(context.Context) error {
		if n := way.accepted.Load() - before; n < 6 {
			return fmt.Errorf("%d times", n)
		}
		return nil
	})
	if got := d.all(); !slices.Equal(got, []store.Event{missed}) {
		t.Errorf("told %+v while the server is read-only, want the loss alone", got)
	}
	exec(t, pool, "SET default_transaction_read_only = off; "+database+" RESET default_transaction_read_only")
	d.wait(t, patience, missed, missed)
}

// One host hangs: the listener finds the other, whatever time the connection string gives to each.
func TestListenerPassesHostThatHangs(t *testing.T) {
	for _, settings := range []string{"&connect_timeout=2", ""} {
		t.Run(settings, func(t *testing.T) {
			t.Parallel() // it waits
			direct := pgtest.Shared(t).Database(t)
			way := newProxy(t, direct)
			s := open(t, pgtest.Connect(t, hosts(t, way.url(t, direct), direct, settings)), silent)
			d := keepDiary(t, s)
			way.mute.Store(true)
			way.cut()
			missed := store.Event{Kind: store.Missed}
			d.wait(t, patience, missed, missed)
			wantEvents(t, d, direct)
		})
	}
}

// Where it can't listen, Open says so and leaves nothing: no server, or one that is lost at whichever of its answers.
func TestOpenWhereItCannotListen(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	pool := pgtest.Connect(t, address)
	check(t, postgres.Migrate(t.Context(), pool, nil))
	way := newProxy(t, address)
	before := goleak.IgnoreCurrent()
	opened := func(listen string) bool {
		s, err := postgres.Open(t.Context(), pool, &postgres.Options{Listen: listen})
		if err == nil {
			check(t, s.Close())
		} else if !strings.Contains(err.Error(), "listening for events") {
			t.Errorf("got %v, want an error that says what it was for", err)
		}
		return err == nil
	}
	for _, listen := range []string{"postgres://%", "postgres://127.0.0.1:1/x"} {
		if opened(listen) {
			t.Errorf("listening at %s", listen)
		}
	}
	for answers := int32(0); ; answers++ {
		way.swallowAfter(answers)
		if opened(way.url(t, address)) {
			break
		}
		if answers > 100 {
			t.Fatal("it never opens")
		}
	}
	way.cut()
	eventually(t, patience, "connections are gone", func(ctx context.Context) error {
		return goleak.Find(before, goleak.IgnoreAnyFunction("github.com/lazysession/session/store/postgres_test.(*proxy).pass"))
	})
}

// A notification of another program on the channel does no harm.
func TestNotificationsNotUnderstood(t *testing.T) {
	pool := pgtest.Pool(t)
	s := open(t, pool, silent)
	d := keepDiary(t, s)
	id := newID().String()
	for _, payload := range []string{
		"", " ", "3", "3 1", "3 1 " + id, "x 1 " + id + " ann", "3 x " + id + " ann", "3 1 x ann", "-1 1 " + id + " ann",
		"256 1 " + id + " ann", "3 256 " + id + " ann", "3 1 " + id[1:] + " ann", strings.Repeat("x", 7000),
	} {
		exec(t, pool, "SELECT pg_notify('public.session.events', $1)", payload)
	}
	r := create(t, s, creation())
	check(t, s.End(t.Context(), r.ID, store.LoggedOut))
	d.wait(t, patience, store.Event{Kind: store.Created, ID: r.ID}, store.Event{Kind: store.Ended, ID: r.ID, Reason: store.LoggedOut})
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
		d := keepDiary(t, s)
		load(t, s, create(t, s, creation()).Token)
		check(t, s.Close())
		if d.missed() > 0 {
			t.Error("Close is told as a loss of events")
		}
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
