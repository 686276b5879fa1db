package postgres_test

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
	"github.com/lazysession/session/store/storetest"
)

// isolations are other defaults than PostgreSQL's own.
var isolations = []string{"repeatable read", "serializable"}

// databaseWith returns a fresh database whose default isolation is another.
func databaseWith(t *testing.T, isolation string) (address string) {
	t.Helper()
	address = pgtest.Shared(t).Database(t)
	pool := pgtest.Connect(t, address)
	exec(t, pool, fmt.Sprintf("ALTER DATABASE %s SET default_transaction_isolation = '%s'", pool.Config().ConnConfig.Database, isolation))
	return address
}

// Behind a pooler a client's own settings are not kept, so the test sets the default of the database.
func TestContractAtOtherIsolationThroughPgBouncer(t *testing.T) {
	direct := databaseWith(t, "serializable")
	pool := pgtest.Connect(t, pgtest.Shared(t).Bouncer(t, direct)+"?default_query_exec_mode=exec")
	o := &postgres.Options{Listen: direct, Logger: silent.Logger}
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, pool, o) })
}

// Each statement asks for read committed, in the one round trip that it takes anyway.
func TestEachStatementAsksForReadCommitted(t *testing.T) {
	for _, isolation := range isolations {
		s, tr := tracedStoreOn(t, databaseWith(t, isolation))
		r := create(t, s, creation())
		load(t, s, r.Token)
		commit(t, s, r.Token, &store.Change{Owner: new("ann"), NoRecord: true, Edits: []store.Edit{add("n", 1)}})
		for _, f := range []store.Filter{{All: true}, {Owner: "ann"}} {
			for _, err := range s.List(t.Context(), f) {
				check(t, err)
			}
		}
		check(t, s.End(t.Context(), r.ID, store.LoggedOut))
		if _, err := s.Load(t.Context(), r.Token); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("after its end: got %v, want %v", err, store.ErrNotFound)
		}
		sweepAll(t, s)
		sent := tr.take()
		for _, sql := range sent {
			if !strings.HasPrefix(sql, "BEGIN ISOLATION LEVEL READ COMMITTED;\n") || !strings.HasSuffix(sql, ";\nCOMMIT") {
				t.Errorf("at %s it sends by itself: %s", isolation, sql)
			}
		}
		const want = 10 // create, load, commit, two lists, end, load and why there is nothing, search, forget
		if len(sent) != want {
			t.Errorf("got %d round trips, want %d:\n%s", len(sent), want, strings.Join(sent, "\n\n"))
		}
	}
}

// A statement that fails leaves its connection fit for the next.
func TestFailedStatementKeepsItsConnection(t *testing.T) {
	pool := pgtest.Connect(t, databaseWith(t, "serializable")+"?pool_max_conns=1")
	s := open(t, pool, &postgres.Options{NoListen: true})
	r := create(t, s, creation(set("a", `"x"`)))
	pid := value[int](t, pool, "SELECT pg_backend_pid()")
	for _, limit := range []int{0, 1} {
		c := &store.Change{Owner: new("ann"), MaxPerOwner: limit, Edits: []store.Edit{add("a", 1)}}
		if _, err := s.Commit(t.Context(), r.Token, c); !errors.Is(err, store.ErrNotInteger) {
			t.Errorf("adding to a text: got %v, want %v", err, store.ErrNotInteger)
		}
	}
	if got := value[int](t, pool, "SELECT pg_backend_pid()"); got != pid {
		t.Errorf("connection of backend %d, want still that of %d", got, pid)
	}
	load(t, s, r.Token)
}

// Servers whose statements have another default keep every promise, together.
func TestOtherIsolation(t *testing.T) {
	for _, isolation := range isolations {
		for _, mode := range []string{"cache_statement", "exec", "simple_protocol"} {
			t.Run(isolation+"/"+mode, func(t *testing.T) {
				direct := pgtest.Shared(t).Database(t)
				address := direct + "?default_query_exec_mode=" + mode + "&default_transaction_isolation=" + url.PathEscape(isolation)
				connect := func() *pgxpool.Pool { return pgtest.Connect(t, address) }
				t.Run("migrations at once", func(t *testing.T) {
					var all []func() error
					for range 6 {
						pool := connect()
						all = append(all, func() error { return postgres.Migrate(t.Context(), pool, nil) })
					}
					check(t, errors.Join(atOnce(all...)...))
				})
				var servers []*postgres.Store
				for range 2 {
					servers = append(servers, open(t, connect(), silent))
				}
				t.Run("hot additions", func(t *testing.T) { testHotAdditions(t, servers) })
				t.Run("a limit", func(t *testing.T) { testExactLimit(t, servers) })
				t.Run("all ends at once", func(t *testing.T) { testEndsAtOnce(t, servers) })
			})
		}
	}
}

func testHotAdditions(t *testing.T, servers []*postgres.Store) {
	const workers, each = 4, 15
	r := create(t, servers[0], creation())
	var work []func() error
	for _, s := range servers {
		for range workers {
			work = append(work, func() error {
				for range each {
					for _, c := range []*store.Change{{NoRecord: true}, {Touched: true}} { // without and with a row
						c.Edits = []store.Edit{add("n", 1)}
						if _, err := s.Commit(t.Context(), r.Token, c); err != nil {
							return err
						}
					}
					if _, err := s.Load(t.Context(), r.Token); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	check(t, errors.Join(atOnce(work...)...))
	if got, want := counted(t, servers[0], r.Token), strconv.Itoa(2*workers*each*len(servers)); got != want {
		t.Errorf("counted %s, want %s", got, want)
	}
}

func testExactLimit(t *testing.T, servers []*postgres.Store) {
	const limit = 2
	var work []func() error
	for _, s := range servers {
		for range 8 {
			work = append(work, func() error {
				c := creation()
				c.Owner, c.MaxPerOwner = new("ann"), limit
				_, err := s.Commit(t.Context(), newToken(), c)
				return err
			})
		}
	}
	check(t, errors.Join(atOnce(work...)...))
	n := 0
	for _, err := range servers[0].List(t.Context(), store.Filter{Owner: "ann"}) {
		check(t, err)
		n++
	}
	if n != limit {
		t.Errorf("got %d sessions, want %d", n, limit)
	}
}

// testEndsAtOnce ends sessions while they are used, by each way that there is.
func testEndsAtOnce(t *testing.T, servers []*postgres.Store) {
	const sessions = 20
	for range sessions {
		c := creation()
		c.Owner = new("bob")
		r := create(t, servers[0], c)
		use := func(s *postgres.Store) func() error {
			return func() error {
				_, err := s.Commit(t.Context(), r.Token, &store.Change{Edits: []store.Edit{add("n", 1)}})
				if errors.Is(err, store.ErrNotFound) {
					err = nil
				}
				return err
			}
		}
		check(t, errors.Join(atOnce(
			use(servers[0]), use(servers[1]),
			func() error { return servers[0].End(t.Context(), r.ID, store.LoggedOut) },
			func() error { _, err := servers[1].EndOwner(t.Context(), "bob", nil, store.Revoked); return err },
			func() error { _, err := servers[1].Sweep(t.Context()); return err },
		)...))
		if _, err := servers[1].Load(t.Context(), r.Token); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("after its end: got %v, want %v", err, store.ErrNotFound)
		}
	}
}
