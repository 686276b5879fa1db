package postgres

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A server that hangs accepts connections and statements, but answers neither. A slow server also lets statements time
// out, so a timeout doesn't end the connections (see noted). Instead, when a statement has waited for silence without
// an answer, a new connection asks the server: this is a knock. If no byte comes within knockTime, on that connection
// or on any other one to the server, the server hangs. Then all connections to it are closed, and a new one goes to the
// next host at once, until the server answers a later knock.
//
// A pool with one host doesn't do this, since there is no other host to go to. With several hosts it costs a timer that
// each statement resets, and a knock for each statement that takes longer than silence.

const (
	silence   = 250 * time.Millisecond // how long a statement waits before the first knock
	knockTime = 500 * time.Millisecond // how long a knock waits: even a busy server starts a process in that time
)

// errHangs is the error of connections to a server that hangs, and of attempts to connect to it.
var errHangs = errors.New("postgres: the server hangs")

// hosts has the servers that a pool connects to, by their addresses.
type hosts struct {
	dial pgconn.DialFunc

	mu sync.Mutex
	// mu locks the remaining field.
	known map[string]*host
}

func (h *hosts) dialHost(ctx context.Context, network, address string) (net.Conn, error) {
	return h.host(network, address).connect(ctx)
}

func (h *hosts) host(network, address string) *host {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := network + " " + address
	if h.known[key] == nil {
		h.known[key] = newHost(h.dial, network, address)
	}
	return h.known[key]
}

// several reports whether there is more than one host to connect to.
func several(cfg *pgx.ConnConfig) bool {
	return slices.ContainsFunc(cfg.Fallbacks, func(f *pgconn.FallbackConfig) bool {
		return f.Host != cfg.Host || f.Port != cfg.Port
	})
}

// A host is one of the servers that a pool connects to.
type host struct {
	dial             pgconn.DialFunc
	network, address string

	heard    atomic.Uint64 // counts the reads that brought bytes from it
	knocking atomic.Bool   // a knock is under way; there is one at a time

	mu sync.Mutex
	// mu locks the remaining fields.
	answers context.Context // done while the host hangs
	leave   context.CancelFunc
}

func newHost(dial pgconn.DialFunc, network, address string) *host {
	h := &host{dial: dial, network: network, address: address}
	h.answers, h.leave = context.WithCancel(context.Background())
	return h
}

// connect returns a connection, unless the host hangs. Then it starts a knock, to find out whether the host still
// hangs.
func (h *host) connect(ctx context.Context) (net.Conn, error) {
	answers := h.state()
	if answers.Err() != nil {
		go h.knock()
		return nil, errHangs
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(answers, func() { cancel(errHangs) })()
	defer time.AfterFunc(silence, h.knock).Stop()
	conn, err := h.dial(ctx, h.network, h.address)
	if err != nil {
		return nil, err
	}
	return newHostConn(conn, h, answers), nil
}

// state returns a context that is done if the host hangs.
func (h *host) state() context.Context {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.answers
}

// knock finds out whether the host answers, unless another knock is under way.
func (h *host) knock() {
	if !h.knocking.CompareAndSwap(false, true) {
		return
	}
	defer h.knocking.Store(false)
	heard := h.heard.Load()
	h.judge(h.silent() && h.heard.Load() == heard)
}

// silent reports whether the host neither answers a new connection nor refuses it. The question is whether the host
// encrypts with GSSAPI: servers and poolers answer it before anything else, and don't log it (PostgreSQL manual,
// "Message Formats", GSSENCRequest). Any byte is an answer, and so is a closed
// connection.
func (h *host) silent() bool {
	ctx, cancel := context.WithTimeout(context.Background(), knockTime)
	defer cancel()
	conn, err := h.dial(ctx, h.network, h.address)
	if err == nil {
		defer conn.Close()
		err = ask(ctx, conn)
	}
	var waited net.Error
	return errors.As(err, &waited) && waited.Timeout()
}

// ask sends the question and reads the first byte of the answer.
func ask(ctx context.Context, conn net.Conn) error {
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := conn.Write([]byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30}); err != nil {
		return err
	}
	_, err := conn.Read(make([]byte, 1))
	return err
}

// judge ends the connections to a host that hangs, and allows new connections to a host that answers again.
func (h *host) judge(hangs bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if hangs {
		h.leave()
	} else if h.answers.Err() != nil {
		h.answers, h.leave = context.WithCancel(context.Background())
	}
}

// A hostConn is a connection to a host. It is closed when a knock finds that the host hangs.
type hostConn struct {
	net.Conn
	host    *host
	answers context.Context // done when the host hangs
	asked   atomic.Bool     // bytes were sent, and none were received since
	late    *time.Timer     // calls overdue
	stop    func() bool     // stops the function that closes the connection when the host hangs
}

func newHostConn(conn net.Conn, h *host, answers context.Context) *hostConn {
	c := &hostConn{Conn: conn, host: h, answers: answers}
	c.late = time.AfterFunc(silence, c.overdue)
	c.late.Stop()
	c.stop = context.AfterFunc(answers, func() { _ = conn.Close() }) // its reader gets the error
	return c
}

func (c *hostConn) Write(p []byte) (int, error) {
	c.asked.Store(true)
	c.late.Reset(silence)
	n, err := c.Conn.Write(p)
	return n, c.why(err)
}

func (c *hostConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.host.heard.Add(1)
		c.asked.Store(false)
	}
	return n, c.why(err)
}

// why returns errHangs for an error of a connection to a host that hangs, and other errors as they are.
func (c *hostConn) why(err error) error {
	if err != nil && c.answers.Err() != nil {
		return errHangs
	}
	return err
}

// overdue knocks, and knocks again later, since a host that is slow now may hang later.
func (c *hostConn) overdue() {
	if c.asked.Load() && c.answers.Err() == nil {
		c.host.knock()
		c.late.Reset(silence)
	}
}

func (c *hostConn) Close() error {
	c.asked.Store(false)
	c.late.Stop()
	c.stop()
	return c.Conn.Close()
}
