// Package pgtest starts throw-away PostgreSQL clusters for tests.
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m).Run()) }
//
//	func TestStore(t *testing.T) {
//		pool := pgtest.Pool(t) // on a fresh database of the cluster that all tests of this binary share
//	}
//
// A test that stops or changes a whole server needs a cluster of its own: see [New], and [Cluster.Standby] for a
// standby of a cluster. A cluster listens on loopback. It runs as an unprivileged user even if the tests run as root.
// It is removed when the test binary ends, even if the binary is killed.
//
// To run the tests on another server, set SESSION_TEST_POSTGRES to its connection string; the user needs the right to
// create databases. Tests that need a cluster of their own are then skipped.
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// givenServer names the variable of the environment that holds the connection string of the user's own server.
const givenServer = "SESSION_TEST_POSTGRES"

// patience limits how long each operation of a server may take.
const patience = 30 * time.Second

// The cluster that the tests of a binary share.
var shared struct {
	sync.Mutex
	cluster *Cluster
}

// A TestingM is a *testing.M, or a wrapper of one.
type TestingM interface{ Run() int }

// Main wraps m. At its end, Run removes the clusters that this package has started.
func Main(m TestingM) TestingM { return remover{m} }

type remover struct{ TestingM }

func (r remover) Run() int {
	defer removeAll()
	return r.TestingM.Run()
}

// Shared returns the cluster that all tests of the binary share. A test must not stop it.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil {
		c, err := newShared(t)
		if err != nil {
			t.Fatal(err)
		}
		shared.cluster = c
	}
	return shared.cluster
}

func newShared(t testing.TB) (*Cluster, error) {
	if given := os.Getenv(givenServer); given != "" {
		return &Cluster{given: given}, nil
	}
	c, err := initialise(binaries(t), nil)
	if err != nil {
		return nil, err
	}
	return c, c.Start()
}

// New returns a running cluster for this test only. It is removed at the end of the test. The lines are added to
// postgresql.conf.
func New(t testing.TB, lines ...string) *Cluster {
	t.Helper()
	needOwn(t)
	c, err := initialise(binaries(t), lines)
	if err != nil {
		t.Fatal(err)
	}
	c.removeWith(t)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// needOwn skips the test if it would run on the user's own server.
func needOwn(t testing.TB) {
	t.Helper()
	if os.Getenv(givenServer) != "" {
		t.Skipf("needs a cluster of its own to stop and start; unset %s to have one", givenServer)
	}
}

// Pool returns a pool on a fresh database of the shared cluster. Both are removed at the end of the test.
func Pool(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return Connect(t, Shared(t).Database(t))
}

// Connect returns a pool on a connection string. The pool is closed at the end of the test.
func Connect(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// Database creates a database and returns its connection string. The database is dropped at the end of the test. The
// options are added to CREATE DATABASE.
func (c *Cluster) Database(t testing.TB, options ...string) string {
	t.Helper()
	name := "test_" + strings.ToLower(rand.Text())
	if err := c.exec("CREATE DATABASE " + name + " " + strings.Join(options, " ")); err != nil {
		t.Fatalf("creating a database: %v", err)
	}
	t.Cleanup(func() {
		// If the cluster is down by now, its databases are removed with it.
		if err := c.exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil && c.given != "" {
			t.Errorf("dropping a database: %v", err)
		}
	})
	return c.URL(name)
}

// exec runs a statement in the database postgres.
func (c *Cluster) exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}
