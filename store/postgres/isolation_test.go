package postgres_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
	"github.com/lazysession/session/store/storetest"
)

// isolations are the isolation levels other than PostgreSQL's default.
var isolations = []string{"repeatable read", "serializable"}

// databaseWith returns a fresh database with another default isolation.
func databaseWith(t *testing.T, isolation string) (address string) {
	t.Helper()
	address = pgtest.Shared(t).Database(t)
	alterDatabase(t, pgtest.Connect(t, address), "SET default_transaction_isolation = '"+isolation+"'")
	return address
}

// Behind a pooler a client's own settings are not kept, so the test sets the default of the database.
func TestContractAtOtherIsolationThroughPgBouncer(t *testing.T) {
	pool, o := throughBouncer(t, databaseWith(t, "serializable"))
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, pool, o) })
}

// Each statement sets read committed, in the same round trip.
func TestEachStatementSetsReadCommitted(t *testing.T) {
	for _, isolation := range isolations {
		s, tr := tracedStoreOn(t, databaseWith(t, isolation))
		r := create(t, s, creation())
		load(t, s, r.Token)
		commit(t, s, r.Token, &store.Change{Owner: new("ann"), NoRecord: true, Edits: []store.Edit{add("n", 1)}})
		for _, f := range []store.Filter{{All: true}, {Owner: "ann"}} {
			listed(t, s, f)
		}
		check(t, s.End(t.Context(), r.ID, store.LoggedOut))
		wantLoadError(t, s, r.Token, store.ErrNotFound)
		sweepAll(t, s)
		sent := tr.take()
		for _, sql := range sent {
			if !strings.HasPrefix(sql, "BEGIN ISOLATION LEVEL READ COMMITTED;\n") || !strings.HasSuffix(sql, ";\nCOMMIT") {
				t.Errorf("at %s a statement doesn't set read committed: %s", isolation, sql)
			}
		}
		const want = 10 // create, load, commit, two lists, end, load and its absence, search, forget
		if len(sent) != want {
			t.Errorf("got %d round trips, want %d:\n%s", len(sent), want, strings.Join(sent, "\n\n"))
		}
	}
}

// After a failed statement its connection still works.
func TestFailedStatementKeepsItsConnection(t *testing.T) {
	pool := pgtest.Connect(t, databaseWith(t, "serializable")+"?pool_max_conns=1")
	s := open(t, pool, noListen)
	r := create(t, s, creation(set("a", `"x"`)))
	pid := value[int](t, pool, "SELECT pg_backend_pid()")
	for _, limit := range []int{0, 1} {
		c := &store.Change{Owner: new("ann"), MaxPerOwner: limit, Edits: []store.Edit{add("a", 1)}}
		if _, err := s.Commit(t.Context(), r.Token, c); !errors.Is(err, store.ErrNotInteger) {
			t.Errorf("adding to a text: got %v, want %v", err, store.ErrNotInteger)
		}
	}
	if got := value[int](t, pool, "SELECT pg_backend_pid()"); got != pid {
		t.Errorf("got the connection of process %d, want %d as before", got, pid)
	}
	load(t, s, r.Token)
}

// Servers with another default isolation keep the same promises.
func TestOtherIsolation(t *testing.T) {
	for _, isolation := range isolations {
		for _, mode := range []string{"cache_statement", "exec", "simple_protocol"} {
			t.Run(isolation+"/"+mode, func(t *testing.T) {
				direct := pgtest.Shared(t).Database(t)
				address := direct + "?default_query_exec_mode=" + mode +
					"&default_transaction_isolation=" + url.PathEscape(isolation)
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
				t.Run("counters", func(t *testing.T) { testCounters(t, servers) })
				t.Run("limit", func(t *testing.T) { testLimit(t, servers) })
				t.Run("ends at once", func(t *testing.T) { testEndsAtOnce(t, servers) })
			})
		}
	}
}

// testEndsAtOnce ends sessions in each possible way at once, while they are used.
func testEndsAtOnce(t *testing.T, servers []*postgres.Store) {
	const sessions = 20
	for range sessions {
		r := create(t, servers[0], login("bob", 0))
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
			func() error { return errOf(servers[1].EndOwner(t.Context(), "bob", nil, store.Revoked)) },
			func() error { return errOf(servers[1].Sweep(t.Context())) },
		)...))
		wantLoadError(t, servers[1], r.Token, store.ErrNotFound)
	}
}
