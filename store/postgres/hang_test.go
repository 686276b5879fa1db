package postgres_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/store/postgres"
)

// A network is what a pool that fails fast dials in these tests. Its hosts answer each write with one byte, unless one
// of the fields says otherwise.
type network struct {
	mu sync.Mutex
	// mu locks the remaining fields.
	silent  bool // existing connections get no answer
	deaf    bool // new connections get no answer
	dropped bool // attempts to connect get no answer
	refused bool // attempts to connect are refused
	dialled int
	open    []net.Conn
}

func (n *network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dialled++
	switch {
	case n.dropped:
		n.mu.Unlock()
		<-ctx.Done()
		n.mu.Lock()
		return nil, context.Cause(ctx)
	case n.refused:
		return nil, errors.New("connection refused")
	}
	client, server := net.Pipe()
	n.open = append(n.open, server)
	go n.serve(server, n.deaf, !n.silent)
	return client, nil
}

// serve answers until the connection is closed.
func (n *network) serve(conn net.Conn, deaf, before bool) {
	defer conn.Close()
	for buf := make([]byte, 100); ; {
		if _, err := conn.Read(buf); err != nil {
			return
		}
		n.mu.Lock()
		silent := n.silent && before || deaf
		n.mu.Unlock()
		if silent {
			continue
		}
		if _, err := conn.Write([]byte{'!'}); err != nil {
			return
		}
	}
}

func (n *network) set(change func(n *network)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n)
}

// hang makes the network silent, like a server whose processes have stopped.
func (n *network) hang() { n.set(func(n *network) { n.silent, n.deaf = true, true }) }

// failFast returns how a pool that fails fast dials in a network.
func failFast(t *testing.T, n *network, url string) pgconn.DialFunc {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	check(t, err)
	cfg.ConnConfig.DialFunc = n.dial
	postgres.FailFast(cfg)
	return cfg.ConnConfig.DialFunc
}

// left is the time until a host that hangs is left.
const left = 750 * time.Millisecond

const twoHosts = "postgres://a,b/x?connect_timeout=2"

// A dialler connects to the host of a network.
type dialler func() (net.Conn, error)

// inNetwork runs a test with a connection to a host, with a fake clock.
func inNetwork(t *testing.T, url string, test func(t *testing.T, n *network, dial dialler, conn net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		n := new(network)
		quick := failFast(t, n, url)
		dial := func() (net.Conn, error) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			return quick(ctx, "tcp", "10.0.0.1:5432")
		}
		conn, err := dial()
		check(t, err)
		defer func() {
			conn.Close()
			n.set(func(n *network) {
				for _, c := range n.open {
					c.Close()
				}
			})
			time.Sleep(time.Second) // until the last knock ends
		}()
		test(t, n, dial, conn)
	})
}

// ask sends a byte, waits for the answer, and returns how long that took.
func ask(conn net.Conn) (took time.Duration, err error) {
	began := time.Now()
	if _, err := conn.Write([]byte("?")); err != nil {
		return time.Since(began), err
	}
	_, err = io.ReadFull(conn, make([]byte, 1))
	return time.Since(began), err
}

func TestHostThatHangsIsLeft(t *testing.T) {
	inNetwork(t, twoHosts, func(t *testing.T, n *network, dial dialler, conn net.Conn) {
		idle, err := dial()
		check(t, err)
		defer idle.Close()
		check(t, errOf(ask(conn)))
		time.Sleep(time.Minute) // no statement waits, so silence means nothing
		n.hang()
		took, err := ask(conn)
		if want := "postgres: the server hangs"; err == nil || err.Error() != want || took != left {
			t.Errorf("a statement got %v after %v, want %q after %v", err, took, want, left)
		}
		synctest.Wait()
		if _, err := idle.Write([]byte("?")); err == nil {
			t.Error("another connection to the host is still open")
		}
		began := time.Now()
		if _, err := dial(); err == nil || time.Since(began) > 0 {
			t.Errorf("a new connection: got %v after %v, want an error at once", err, time.Since(began))
		}
	})
}

func TestHostThatAnswersAgainIsUsed(t *testing.T) {
	inNetwork(t, twoHosts, func(t *testing.T, n *network, dial dialler, conn net.Conn) {
		n.hang()
		ask(conn)
		for range 10 { // while it hangs, all new connections are refused
			if _, err := dial(); err == nil {
				t.Fatal("a new connection to a host that hangs")
			}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Second)
		n.set(func(n *network) { n.silent, n.deaf = false, false })
		if _, err := dial(); err == nil {
			t.Fatal("a new connection before a knock was answered")
		}
		synctest.Wait()
		again, err := dial()
		check(t, err)
		defer again.Close()
		if took, err := ask(again); err != nil || took > 0 {
			t.Errorf("got %v after %v, want an answer at once", err, took)
		}
		n.hang()
		if took, err := ask(again); err == nil || took != left {
			t.Errorf("the second time it hangs: got %v after %v, want an error after %v", err, took, left)
		}
	})
}

// A slow statement is no reason to leave a host.
func TestHostThatIsSlowIsNotLeft(t *testing.T) {
	const slow = 10 * time.Second
	for _, tt := range []struct {
		name string
		url  string
		slow func(n *network)
	}{
		{"it answers new connections", twoHosts, func(n *network) { n.silent = true }},
		{"it refuses new connections", twoHosts, func(n *network) { n.silent, n.refused = true, true }},
		{"there is no other host", "postgres://a/x", func(n *network) { n.silent, n.deaf = true, true }},
		{"the other host is the same", "postgres://a,a/x", func(n *network) { n.silent, n.deaf = true, true }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inNetwork(t, tt.url, func(t *testing.T, n *network, dial dialler, conn net.Conn) {
				n.set(tt.slow)
				time.AfterFunc(slow, func() {
					n.mu.Lock()
					defer n.mu.Unlock()
					n.open[0].Write([]byte{'!'})
				})
				if took, err := ask(conn); err != nil || took != slow {
					t.Errorf("got %v after %v, want an answer after %v", err, took, slow)
				}
			})
		})
	}
}

// A host may begin to hang while a slow statement waits.
func TestHostThatIsSlowAndThenHangsIsLeft(t *testing.T) {
	inNetwork(t, twoHosts, func(t *testing.T, n *network, dial dialler, conn net.Conn) {
		const slow = 10 * time.Second
		n.set(func(n *network) { n.silent = true })
		time.AfterFunc(slow, n.hang)
		if took, err := ask(conn); err == nil || took < slow || took > slow+2*left {
			t.Errorf("got %v after %v, want an error soon after %v", err, took, slow)
		}
	})
}

// If only new connections hang, the existing ones still work.
func TestHostThatAnswersElsewhereIsNotLeft(t *testing.T) {
	inNetwork(t, twoHosts, func(t *testing.T, n *network, dial dialler, conn net.Conn) {
		n.set(func(n *network) { n.deaf = true })
		stuck, err := dial()
		check(t, err)
		defer stuck.Close()
		check(t, stuck.SetDeadline(time.Now().Add(700*time.Millisecond)))
		go ask(stuck)
		for range 50 {
			if took, err := ask(conn); err != nil || took > 0 {
				t.Fatalf("got %v after %v, want an answer at once", err, took)
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

// An attempt to connect without an answer means the same as a connection without an answer.
func TestHostThatDropsPacketsIsLeft(t *testing.T) {
	inNetwork(t, twoHosts, func(t *testing.T, n *network, dial dialler, conn net.Conn) {
		n.set(func(n *network) { n.silent, n.dropped = true, true })
		began := time.Now()
		if _, err := dial(); err == nil || time.Since(began) != left {
			t.Errorf("got %v after %v, want an error after %v", err, time.Since(began), left)
		}
		synctest.Wait()
		if _, err := conn.Write([]byte("?")); err == nil {
			t.Error("a connection to the host is still open")
		}
	})
}

// There is one knock at a time, with any number of waiting statements.
func TestOneKnockForAll(t *testing.T) {
	inNetwork(t, twoHosts, func(t *testing.T, n *network, dial dialler, conn net.Conn) {
		var all sync.WaitGroup
		askOnNew := func(connections int) {
			for range connections {
				conn, err := dial()
				check(t, err)
				all.Go(func() {
					defer conn.Close()
					ask(conn)
				})
			}
		}
		askOnNew(20)
		synctest.Wait()
		n.set(func(n *network) { n.dialled = 0 })
		n.hang()
		askOnNew(20)
		all.Wait()
		n.set(func(n *network) {
			if n.dialled > 20+2 { // a connection that waits when the first knock ends may knock again
				t.Errorf("dialled %d times, want 20 connections and one knock", n.dialled)
			}
		})
	})
}
