package postgres_test

import (
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store/postgres"
)

// A proxy forwards bytes between a pool and its server. It can drop answers, or stop in both directions.
type proxy struct {
	listener net.Listener
	server   string

	mute     atomic.Bool  // all answers are dropped
	left     atomic.Int32 // number of answers before one is dropped and its connection is closed
	refused  atomic.Int32 // number of connections that get the error of a server that is starting up
	accepted atomic.Int32 // counts the other connections

	mu sync.Mutex
	// mu locks the remaining fields.
	conns map[net.Conn]bool
	stop  *stop // nil: everything is forwarded
	wg    sync.WaitGroup
}

func newProxy(t *testing.T, direct string) *proxy {
	t.Helper()
	u, err := url.Parse(direct)
	check(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	p := &proxy{listener: l, server: u.Host, conns: make(map[net.Conn]bool)}
	p.dropAfter(never)
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.goOn()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		if p.refused.Add(-1) >= 0 {
			refuse(client)
			continue
		}
		p.accepted.Add(1)
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = true, true
		p.mu.Unlock()
		p.wg.Go(func() { p.pass(server, client, false) })
		p.wg.Go(func() { p.pass(client, server, true) })
	}
}

// refuse answers the first message of a client like a server that is starting up.
func refuse(client net.Conn) {
	defer client.Close()
	_, _ = client.Read(make([]byte, 1<<10))
	startingUp := pgproto3.ErrorResponse{
		Severity: "FATAL", Code: "57P03", Message: "the database system is starting up",
	}
	answer, _ := startingUp.Encode(nil)
	_, _ = client.Write(answer)
}

// pass forwards in one direction until one side is closed, and closes both.
func (p *proxy) pass(to, from net.Conn, answers bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil || answers && p.left.Add(-1) == -1 {
			return
		}
		if answers && p.mute.Load() {
			continue
		}
		p.waitStop(answers)
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// never is more answers than any test gets.
const never = 1 << 30

// dropAfter forwards a number of answers, drops the next one, and closes its connection.
func (p *proxy) dropAfter(answers int32) { p.left.Store(answers) }

// A stop is a time in which nothing is forwarded.
type stop struct {
	left          int // number of answers before it begins
	stopped, goOn chan struct{}
}

// stopAfter forwards a number of answers, and then nothing in either direction until goOn is called.
func (p *proxy) stopAfter(answers int) (stopped <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop = &stop{left: answers, stopped: make(chan struct{}), goOn: make(chan struct{})}
	return p.stop.stopped
}

// goOn ends the stop.
func (p *proxy) goOn() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil {
		close(p.stop.goOn)
	}
	p.stop = nil
}

// waitStop waits until the stop ends, if there is one.
func (p *proxy) waitStop(answer bool) {
	p.mu.Lock()
	st := p.stop
	if st != nil && answer {
		if st.left == 0 {
			close(st.stopped)
		}
		st.left--
	}
	stopped := st != nil && st.left < 0
	p.mu.Unlock()
	if stopped {
		<-st.goOn
	}
}

// cut closes all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// url returns a connection string that leads to the same database as direct, through the proxy.
func (p *proxy) url(t *testing.T, direct string) string {
	t.Helper()
	u, err := url.Parse(direct)
	check(t, err)
	u.Host = p.listener.Addr().String()
	return u.String()
}

// proxied returns a Store that reaches its server through a proxy, and one that doesn't.
func proxied(t *testing.T, options string) (s, direct *postgres.Store, p *proxy, pool *pgxpool.Pool) {
	t.Helper()
	address := pgtest.Shared(t).Database(t)
	direct = open(t, pgtest.Connect(t, address), silent)
	p = newProxy(t, address)
	pool = pgtest.Connect(t, p.url(t, address)+options)
	s = open(t, pool, noListen)
	return s, direct, p, pool
}
