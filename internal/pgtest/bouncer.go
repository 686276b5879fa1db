package pgtest

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// bouncerSettings configure pgbouncer in transaction mode. Their arguments are its folder, its port and the cluster's
// port.
const bouncerSettings = `[databases]
* = host=127.0.0.1 port=%[3]d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %[2]d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %[1]s/users
pidfile = %[1]s/bouncer.pid
pool_mode = transaction
default_pool_size = 10
`

// Bouncer starts pgbouncer in transaction mode in front of the cluster. It takes a connection string that leads
// directly to a database, and returns one that leads to the same database through pgbouncer. Pgbouncer ends with the
// test.
func (c *Cluster) Bouncer(t testing.TB, direct string) string {
	t.Helper()
	needOwn(t)
	program, err := lookBouncer()
	if err != nil {
		missing(t, "the program pgbouncer", "pgbouncer")
	}
	dir, port, err := c.configureBouncer()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer // read only after Wait
	cmd := unprivileged(program, "-q", filepath.Join(dir, "ini"))
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("log of pgbouncer:\n%s", log.Bytes())
		}
	})
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = "127.0.0.1:" + strconv.Itoa(port)
	waitBouncer(t, u.String())
	return u.String()
}

// lookBouncer finds pgbouncer on the path, or in the folder of Debian's package, which is not on every user's path.
func lookBouncer() (string, error) {
	if program, err := exec.LookPath("pgbouncer"); err == nil {
		return program, nil
	}
	return exec.LookPath("/usr/sbin/pgbouncer")
}

// configureBouncer creates a folder with the files that pgbouncer reads.
func (c *Cluster) configureBouncer() (dir string, port int, err error) {
	if dir, err = newDir(); err != nil {
		return "", 0, err
	}
	if port, err = freePort(); err != nil {
		return "", 0, err
	}
	if err = os.Mkdir(dir, 0o700); err != nil {
		return "", 0, err
	}
	if err = giveAway(dir); err != nil {
		return "", 0, err
	}
	if err = writeFile(filepath.Join(dir, "ini"), fmt.Sprintf(bouncerSettings, dir, port, c.port)); err != nil {
		return "", 0, err
	}
	return dir, port, writeFile(filepath.Join(dir, "users"), fmt.Sprintf("%q %q\n", "postgres", c.password))
}

// waitBouncer waits until pgbouncer answers.
func waitBouncer(t testing.TB, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, url)
		if err == nil {
			_ = conn.Close(ctx) // it has answered
			return
		}
		if pause(ctx, 10*time.Millisecond) != nil {
			t.Fatalf("pgbouncer does not answer: %v", err)
		}
	}
}
