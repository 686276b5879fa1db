package pgtest_test

import (
	"context"
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

// childVariable tells the test binary, run by a test, what to do.
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

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func TestPoolsAreApart(t *testing.T) {
	one, other := pgtest.Pool(t), pgtest.Pool(t)
	_, err := one.Exec(t.Context(), "CREATE TABLE things ()")
	must(t, "CREATE TABLE", err)
	var there bool
	err = other.QueryRow(t.Context(), "SELECT to_regclass('things') IS NOT NULL").Scan(&there)
	if err != nil || there {
		t.Errorf("a table of one database in the other: got %v, %v", there, err)
	}
}

func TestClusterComesBack(t *testing.T) {
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
			t.Errorf("%s: it still answers", tt.name)
		}
		must(t, "Start after "+tt.name, c.Start())
		must(t, "what was there before "+tt.name, do(url, "TABLE after_"+tt.name))
	}
}

func TestStandbyFollowsAndTakesOver(t *testing.T) {
	c := pgtest.New(t)
	standby := c.Standby(t)
	must(t, "CREATE TABLE", do(c.URL("postgres"), "CREATE TABLE things ()"))
	for deadline := time.Now().Add(10 * time.Second); ; {
		err := do(standby.URL("postgres"), "TABLE things")
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the standby does not follow: %v", err)
		}
	}
	if do(standby.URL("postgres"), "CREATE TABLE more ()") == nil {
		t.Error("the standby takes writes")
	}
	must(t, "Kill", c.Kill())
	must(t, "Promote", standby.Promote())
	must(t, "CREATE TABLE", do(standby.URL("postgres"), "CREATE TABLE more ()"))
}

// A binary that is killed has no time to clean up.
func TestNothingIsLeft(t *testing.T) {
	if os.Getenv(childVariable) != "" {
		pgtest.Pool(t)
		self, err := os.FindProcess(os.Getpid())
		must(t, "FindProcess", err)
		must(t, "Kill", self.Kill())
		select {}
	}
	if os.Getenv("SESSION_TEST_POSTGRES") != "" {
		t.Skip("nothing is started")
	}
	pgtest.Pool(t) // skips the test where the programs are missing
	temp := t.TempDir()
	must(t, "open the way for the unprivileged user", openFolders(temp))
	child := exec.Command(os.Args[0], "-test.run=^TestNothingIsLeft$")
	child.Env = append(os.Environ(), childVariable+"=kill", "TMPDIR="+temp)
	if out, err := child.CombinedOutput(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the child: got %v, want it killed\n%s", err, out)
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		left, err := filepath.Glob(filepath.Join(temp, "*"))
		if err == nil && len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still there: %q, %v", left, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// openFolders lets other users pass through the folder of a test and the one above it, which testing makes private.
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
