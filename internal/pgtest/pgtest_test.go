package pgtest_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/lazysession/session/internal/pgtest"
)

// childVariable is set for a test binary that a test has started.
const childVariable = "PGTEST_CHILD"

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Main(m)) }

// do runs a statement on a connection of its own.
func do(url, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// must fails the test if a step returned an error.
func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func TestPoolsHaveOwnDatabases(t *testing.T) {
	one, other := pgtest.Pool(t), pgtest.Pool(t)
	_, err := one.Exec(t.Context(), "CREATE TABLE things ()")
	must(t, "CREATE TABLE", err)
	var there bool
	err = other.QueryRow(t.Context(), "SELECT to_regclass('things') IS NOT NULL").Scan(&there)
	if err != nil || there {
		t.Errorf("a table of one database exists in the other: got %v, %v, want false", there, err)
	}
}

func TestClusterRestarts(t *testing.T) {
	c := pgtest.New(t, "work_mem = '1234kB'")
	url := c.URL("postgres")
	must(t, "its own setting", do(url, "SELECT 1 / (current_setting('work_mem') = '1234kB')::int"))
	for _, tt := range []struct {
		name string
		end  func() error
	}{{"Stop", c.Stop}, {"Kill", c.Kill}} {
		must(t, "CREATE TABLE", do(url, "CREATE TABLE after_"+tt.name+" ()"))
		must(t, tt.name, tt.end())
		if do(url, "SELECT 1") == nil {
			t.Errorf("after %s the server still answers", tt.name)
		}
		must(t, "Start after "+tt.name, c.Start())
		must(t, "TABLE after "+tt.name, do(url, "TABLE after_"+tt.name))
	}
}

func TestStandbyFollowsAndIsPromoted(t *testing.T) {
	c := pgtest.New(t)
	standby := c.Standby(t)
	must(t, "CREATE TABLE", do(c.URL("postgres"), "CREATE TABLE things ()"))
	eventually(t, func() error { return do(standby.URL("postgres"), "TABLE things") })
	if do(standby.URL("postgres"), "CREATE TABLE more ()") == nil {
		t.Error("a write on the standby succeeded")
	}
	must(t, "Kill", c.Kill())
	must(t, "Promote", standby.Promote())
	must(t, "CREATE TABLE", do(standby.URL("postgres"), "CREATE TABLE more ()"))
}

// Nothing is left after a test binary was killed, though it can't clean up itself.
func TestNothingIsLeft(t *testing.T) {
	if os.Getenv(childVariable) != "" {
		pgtest.Pool(t)
		self, err := os.FindProcess(os.Getpid())
		must(t, "FindProcess", err)
		must(t, "Kill", self.Kill())
		select {}
	}
	if os.Getenv("SESSION_TEST_POSTGRES") != "" {
		t.Skip("no cluster is started")
	}
	pgtest.Pool(t) // skips the test if the programs are missing
	temp := t.TempDir()
	must(t, "openFolders", openFolders(temp))
	child := exec.Command(os.Args[0], "-test.run=^TestNothingIsLeft$")
	child.Env = append(os.Environ(), childVariable+"=kill", "TMPDIR="+temp)
	if out, err := child.CombinedOutput(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the child: got %v, want it killed\n%s", err, out)
	}
	eventually(t, func() error {
		left, err := filepath.Glob(filepath.Join(temp, "*"))
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("left: %q", left)
		}
		return err
	})
}

// eventually repeats try until it returns no error. The test fails with the last error after a while.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// openFolders gives other users access to the folder of a test and the one above it, which testing makes private.
func openFolders(dir string) error {
	if err := os.Chmod(dir, 0o777); err != nil {
		return err
	}
	return os.Chmod(filepath.Dir(dir), 0o755)
}

func TestBouncer(t *testing.T) {
	c := pgtest.Shared(t)
	url := c.Bouncer(t, c.URL("postgres"))
	must(t, "a statement through pgbouncer", do(url+"?default_query_exec_mode=exec", "SELECT 1"))
}
