package pgtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A Cluster is one PostgreSQL server with its data. Its methods must not be called by several goroutines at once.
type Cluster struct {
	given    string // the user's own server; the remaining fields are then zero
	bin      string // folder of the server's programs
	dir      string // PGDATA
	port     int
	password string

	server *exec.Cmd     // the postmaster, nil before the first start
	exited chan struct{} // closed when it has ended
}

// settings are the settings of every cluster. They make it quick. The data survive the death of the server's processes,
// since the operating system has what they wrote. They don't survive a crash of the machine, which no test causes.
const settings = `
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
full_page_writes = off
shared_buffers = 32MB
max_connections = 200
wal_level = replica
max_wal_senders = 4
hot_standby = on
log_min_messages = warning
`

// initialise creates the data of a new cluster.
func initialise(bin string, lines []string) (*Cluster, error) {
	c, err := newCluster(bin)
	if err != nil {
		return nil, err
	}
	c.password = rand.Text()
	secret := c.dir + ".password"
	if err := writeFile(secret, c.password); err != nil {
		return nil, err
	}
	// Every user of this machine can reach the port, so it needs a password. The method "password" checks it quickly.
	if err := c.run("initdb", "--no-sync", "--encoding=UTF8", "--locale=C", "--username=postgres", "--auth=password",
		"--pwfile="+secret, c.dir); err != nil {
		return nil, err
	}
	return c, c.configure(append([]string{settings}, lines...))
}

func newCluster(bin string) (*Cluster, error) {
	dir, err := newDir()
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	return &Cluster{bin: bin, dir: dir, port: port}, err
}

// configure adds lines to postgresql.conf, where a later line overrides an earlier one.
func (c *Cluster) configure(lines []string) error {
	f, err := os.OpenFile(filepath.Join(c.dir, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strings.Join(lines, "\n") + "\nport = " + strconv.Itoa(c.port) + "\n")
	return errors.Join(err, f.Close())
}

// Standby returns a running standby of the cluster. It is removed at the end of the test. The lines are added to
// postgresql.conf.
func (c *Cluster) Standby(t testing.TB, lines ...string) *Cluster {
	t.Helper()
	s, err := newCluster(c.bin)
	if err != nil {
		t.Fatal(err)
	}
	s.password = c.password
	s.removeWith(t)
	err = s.run("pg_basebackup", "--pgdata="+s.dir, "--checkpoint=fast", "--no-sync", "--write-recovery-conf",
		"--dbname="+c.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.configure(lines), s.Start()); err != nil {
		t.Fatal(err)
	}
	return s
}

// Promote makes a standby a primary, and returns when it takes writes.
func (c *Cluster) Promote() error { return c.exec("SELECT pg_promote(true, 30)") }

// URL returns the connection string of a database.
func (c *Cluster) URL(database string) string {
	if c.given != "" {
		return withDatabase(c.given, database)
	}
	u := url.URL{
		Scheme: "postgres",
		User:   url.UserPassword("postgres", c.password),
		Host:   c.Addr(),
		Path:   database,
	}
	return u.String()
}

// withDatabase replaces the database in a connection string, which may be a URL or have keywords and values.
func withDatabase(given, database string) string {
	if u, err := url.Parse(given); err == nil && u.Scheme != "" {
		u.Path = database
		return u.String()
	}
	return given + " dbname=" + database // the last dbname counts
}

// Addr returns where the cluster listens, as host:port.
func (c *Cluster) Addr() string {
	if c.given != "" {
		panic("pgtest: the address of a given server is unknown")
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port))
}

// Start starts the server, always on the same port, and returns when it answers. It tries again for a while, since
// processes of a killed server may still use its shared memory.
func (c *Cluster) Start() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := c.startOnce(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("pgtest: PostgreSQL did not start: %w\n%s", err, c.Log())
		}
	}
}

func (c *Cluster) startOnce(ctx context.Context) error {
	if c.running() {
		return nil
	}
	log, err := os.OpenFile(c.dir+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	server := unprivileged(filepath.Join(c.bin, "postgres"), "-D", c.dir)
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = server.Wait() // the log has the reason
	}()
	c.server, c.exited = server, exited
	return c.waitReady(ctx)
}

// waitReady waits until the server answers or has ended.
func (c *Cluster) waitReady(ctx context.Context) error {
	for {
		err := c.ping(ctx)
		if err == nil {
			return nil
		}
		if !c.running() {
			return errors.New("pgtest: PostgreSQL ended:\n" + c.Log())
		}
		if pause(ctx, 10*time.Millisecond) != nil {
			return fmt.Errorf("pgtest: PostgreSQL does not answer: %w\n%s", err, c.Log())
		}
	}
}

func (c *Cluster) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

func (c *Cluster) running() bool {
	if c.server == nil {
		return false
	}
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

// Stop shuts the server down in order: it disconnects clients, and writes what they committed.
func (c *Cluster) Stop() error { return c.signal(syscall.SIGINT) }

// Kill kills the server's first process. The others notice and end, without a message to clients and without writing
// any more.
func (c *Cluster) Kill() error { return c.signal(syscall.SIGKILL) }

// Restart calls Stop and Start.
func (c *Cluster) Restart() error { return errors.Join(c.Stop(), c.Start()) }

// signal sends a signal that ends the server, and waits until it has ended. If it has ended before, that is no error.
func (c *Cluster) signal(how syscall.Signal) error {
	if !c.running() {
		return nil
	}
	if err := c.server.Process.Signal(how); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("pgtest: stopping PostgreSQL: %w", err)
	}
	select {
	case <-c.exited:
		return nil
	case <-time.After(patience):
		return errors.New("pgtest: PostgreSQL does not stop:\n" + c.Log())
	}
}

// Log returns the end of the server's log.
func (c *Cluster) Log() string {
	const most = 4000
	log, err := os.ReadFile(c.dir + ".log")
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-most):])
}

// removeWith removes the cluster at the end of a test.
func (c *Cluster) removeWith(t testing.TB) {
	t.Cleanup(func() {
		if t.Failed() && c.server != nil {
			t.Logf("log of PostgreSQL on port %d:\n%s", c.port, c.Log())
		}
		if err := c.remove(); err != nil {
			t.Error(err)
		}
	})
}

func (c *Cluster) remove() error {
	return errors.Join(c.signal(syscall.SIGQUIT), removeDir(c.dir))
}

// run runs one of the server's programs.
func (c *Cluster) run(program string, args ...string) error {
	cmd := unprivileged(filepath.Join(c.bin, program), args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("pgtest: %s: %w\n%s", program, err, out.Bytes())
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// freePort returns a port on which no program listens. It is below the ports that systems give to clients. Otherwise a
// client that dials a stopped server could get the port that it dials, connect to itself, and keep the port.
func freePort() (int, error) {
	const lowest, beyond = 15_000, 32_000
	var err error
	for range 100 {
		port := lowest + mathrand.IntN(beyond-lowest)
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("pgtest: no free port: %w", err)
}
