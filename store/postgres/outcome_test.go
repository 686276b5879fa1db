package postgres_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

// A proxy stands between a pool and its server. It can swallow what the server answers, or stop for both.
type proxy struct {
	listener net.Listener
	server   string

	mute     atomic.Bool  // answers are swallowed
	left     atomic.Int32 // so many answers pass until one is swallowed and its connection cut
	refused  atomic.Int32 // so many connections are told that the server is starting up
	accepted atomic.Int32 // counts the others

	mu sync.Mutex
	// mu locks the remaining fields.
	conns map[net.Conn]bool
	stop  *stop // nil: everything passes
	wg    sync.WaitGroup
}

func newProxy(t *testing.T, direct string) *proxy {
	t.Helper()
	u, err := url.Parse(direct)
	check(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	p := &proxy{listener: l, server: u.Host, conns: make(map[net.Conn]bool)}
	p.swallowAfter(never)
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

// refuse answers whatever a client asks first as a server does that is starting up.
func refuse(client net.Conn) {
	defer client.Close()
	_, _ = client.Read(make([]byte, 1<<10))
	answer, _ := (&pgproto3.ErrorResponse{Severity: "FATAL", Code: "57P03", Message: "the database system is starting up"}).Encode(nil)
	_, _ = client.Write(answer)
}

// pass copies until one side is closed, and closes both.
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

// never is so late that no test gets there.
const never = 1 << 30

// swallowAfter lets so many answers pass, swallows the next and cuts its connection.
func (p *proxy) swallowAfter(answers int32) { p.left.Store(answers) }

// A stop is a time in which nothing passes.
type stop struct {
	left          int // so many answers pass until then
	stopped, goOn chan struct{}
}

// stopAfter lets so many answers pass, and then nothing in either direction until goOn.
func (p *proxy) stopAfter(answers int) (stopped <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop = &stop{left: answers, stopped: make(chan struct{}), goOn: make(chan struct{})}
	return p.stop.stopped
}

func (p *proxy) goOn() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil {
		close(p.stop.goOn)
	}
	p.stop = nil
}

// waitStop waits where nothing passes.
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

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// url returns the connection string that leads through the proxy to the database of another.
func (p *proxy) url(t *testing.T, direct string) string {
	t.Helper()
	u, err := url.Parse(direct)
	check(t, err)
	u.Host = p.listener.Addr().String()
	return u.String()
}

// proxied returns a Store that reaches its server through a proxy, and one that does not.
func proxied(t *testing.T, options string) (s, direct *postgres.Store, p *proxy, pool *pgxpool.Pool) {
	t.Helper()
	address := pgtest.Shared(t).Database(t)
	direct = open(t, pgtest.Connect(t, address), silent)
	p = newProxy(t, address)
	pool = pgtest.Connect(t, p.url(t, address)+options)
	s = open(t, pool, &postgres.Options{NoListen: true})
	return s, direct, p, pool
}

// counted returns what was added to a session so far.
func counted(t *testing.T, s store.Store, token store.Token) (n string) {
	n, _ = load(t, s, token).Values.Get("n")
	return n
}

// The answer to a commit gets lost after it was made.
func TestOutcomeUnknown(t *testing.T) {
	for _, mode := range []string{"cache_statement", "cache_describe", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) { testOutcomeUnknown(t, "?default_query_exec_mode="+mode) })
	}
}

func testOutcomeUnknown(t *testing.T, options string) {
	s, direct, p, _ := proxied(t, options)
	owner := "ann"
	for _, tt := range []struct {
		name   string
		change *store.Change
	}{
		{"an addition", &store.Change{Edits: []store.Edit{add("n", 1)}}},
		{"an addition whose record nobody wants", &store.Change{NoRecord: true, Edits: []store.Edit{add("n", 1)}}},
		{"a renewal", &store.Change{RenewTo: newToken(), Edits: []store.Edit{add("n", 1)}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := create(t, s, creation())
			commit(t, s, r.Token, &store.Change{Edits: []store.Edit{set("warm", "1")}})
			_, _ = s.Commit(t.Context(), newToken(), tt.change) // so that it is prepared
			p.swallowAfter(0)
			_, err := s.Commit(t.Context(), r.Token, tt.change)
			if !errors.Is(err, store.ErrOutcomeUnknown) {
				t.Fatalf("got %v, want %v", err, store.ErrOutcomeUnknown)
			}
			token := r.Token
			if tt.change.RenewTo != (store.Token{}) {
				token = tt.change.RenewTo
			}
			if n := counted(t, direct, token); n != "1" {
				t.Errorf("it was added %s times, want once", n)
			}
			load(t, s, token) // on a new connection, at once
		})
	}
	t.Run("a login under a limit", func(t *testing.T) {
		// Whichever of its answers is lost, it was made wholly or not at all, and the error says what may be.
		for lost := range 12 {
			r := create(t, s, creation())
			next := newToken()
			p.swallowAfter(int32(lost))
			_, err := s.Commit(t.Context(), r.Token, &store.Change{RenewTo: next, Owner: &owner, MaxPerOwner: 1, Edits: []store.Edit{add("n", 1)}})
			p.swallowAfter(never)
			_, loadErr := direct.Load(t.Context(), next)
			made := loadErr == nil
			unknown := errors.Is(err, store.ErrOutcomeUnknown)
			if err == nil && !made || err != nil && !unknown && made {
				t.Errorf("answer %d lost: got %v, and made is %v", lost, err, made)
			}
			if made && counted(t, direct, next) != "1" {
				t.Errorf("answer %d lost: counted %s times", lost, counted(t, direct, next))
			}
		}
	})
}

// No answer comes in time.
func TestOutcomeUnknownAfterTimeout(t *testing.T) {
	s, direct, p, _ := proxied(t, "")
	r := create(t, s, creation())
	change := &store.Change{Edits: []store.Edit{add("n", 1)}}
	commit(t, s, r.Token, change)
	p.mute.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error)
	go func() {
		_, err := s.Commit(ctx, r.Token, change)
		done <- err
	}()
	eventually(t, patience, "it is made", func(context.Context) error {
		if n := counted(t, direct, r.Token); n != "2" {
			return errors.New("counted " + n)
		}
		return nil
	})
	cancel()
	err := <-done
	if !errors.Is(err, store.ErrOutcomeUnknown) {
		t.Errorf("got %v, want %v", err, store.ErrOutcomeUnknown)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := s.Load(ctx, r.Token); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load from a silent server: got %v, want an error of its own", err)
	}
	p.mute.Store(false)
	p.cut()
	eventually(t, patience, "it is back", func(ctx context.Context) error {
		_, err := s.Load(ctx, r.Token)
		return err
	})
}

// A load that meets a dead connection is tried again: the visitor sees nothing of it.
func TestLoadOverDeadConnection(t *testing.T) {
	s, _, p, _ := proxied(t, "?pool_max_conns=1")
	r := create(t, s, creation())
	load(t, s, r.Token)
	p.cut()
	load(t, s, r.Token)
	p.swallowAfter(0)
	load(t, s, r.Token)
}

// What certainly was not done is not called unknown.
func TestOutcomeKnown(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	pool := pgtest.Connect(t, address+"?pool_max_conns=1")
	s := open(t, pool, silent)
	r := create(t, s, creation(set("a", `"x"`)))
	change := &store.Change{Edits: []store.Edit{add("n", 1)}}
	sure := func(t *testing.T, name string, c *store.Change, ctx context.Context) error {
		t.Helper()
		_, err := s.Commit(ctx, r.Token, c)
		if err == nil || errors.Is(err, store.ErrOutcomeUnknown) {
			t.Errorf("%s: got %v, want an error whose outcome is known", name, err)
		}
		return err
	}
	t.Run("refused by the server", func(t *testing.T) {
		exec(t, pool, "ALTER TABLE %s ADD CONSTRAINT never CHECK (version < 2)")
		sure(t, "a constraint", change, t.Context())
		exec(t, pool, "ALTER TABLE %s DROP CONSTRAINT never")
	})
	t.Run("cancelled before it began", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		sure(t, "cancelled", change, ctx)
	})
	t.Run("no connection in time", func(t *testing.T) {
		conn, err := pool.Acquire(t.Context()) // the only one
		check(t, err)
		defer conn.Release()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		sure(t, "waiting for a connection", change, ctx)
		sure(t, "a login under a limit", &store.Change{Owner: new("ann"), MaxPerOwner: 1}, ctx)
	})
	t.Run("closed pool", func(t *testing.T) {
		other := pgtest.Connect(t, address)
		o := open(t, other, &postgres.Options{NoListen: true})
		other.Close()
		if _, err := o.Commit(t.Context(), r.Token, change); err == nil || errors.Is(err, store.ErrOutcomeUnknown) {
			t.Errorf("got %v, want an error whose outcome is known", err)
		}
	})
	if n := counted(t, s, r.Token); n != "" {
		t.Errorf("counted %s, want nothing", n)
	}
}

// A database that takes no writes refuses them for sure, answers reads, and is used again as soon as it takes them.
func TestReadOnlyDatabase(t *testing.T) {
	address := pgtest.Shared(t).Database(t)
	pool, admin := pgtest.Connect(t, address), pgtest.Connect(t, address)
	s := open(t, pool, silent)
	r := create(t, s, creation())
	name := pool.Config().ConnConfig.Database

	exec(t, admin, "ALTER DATABASE "+name+" SET default_transaction_read_only = on")
	pool.Reset() // as after a failover: the connections are new, the server is read-only
	for what, err := range map[string]error{
		"commit":   func() error { _, err := s.Commit(t.Context(), r.Token, &store.Change{Touched: true}); return err }(),
		"create":   func() error { _, err := s.Commit(t.Context(), newToken(), creation()); return err }(),
		"end":      s.End(t.Context(), r.ID, store.LoggedOut),
		"endOwner": func() error { _, err := s.EndOwner(t.Context(), "ann", nil, store.Revoked); return err }(),
		"sweep":    func() error { _, err := s.Sweep(t.Context()); return err }(),
	} {
		var pg *pgconn.PgError
		if what == "endOwner" && err == nil {
			continue // nothing of theirs is there to be deleted, which PostgreSQL may find out first
		}
		if !errors.As(err, &pg) || pg.Code != "25006" || errors.Is(err, store.ErrOutcomeUnknown) {
			t.Errorf("%s: got %v, want SQLSTATE 25006 and a known outcome", what, err)
		}
	}
	load(t, s, r.Token)

	exec(t, admin, "ALTER DATABASE "+name+" RESET default_transaction_read_only")
	// Reading has made a new connection before this. One refusal lets go of it, so that there is no second.
	_, err := s.Commit(t.Context(), r.Token, &store.Change{Touched: true})
	t.Logf("the first commit: %v", err)
	commit(t, s, r.Token, &store.Change{Touched: true})
	check(t, s.End(t.Context(), r.ID, store.LoggedOut))
}

// While a loop over a list runs, its connection is not taken from the pool.
func TestListHoldsNoConnection(t *testing.T) {
	pool := pgtest.Connect(t, pgtest.Shared(t).Database(t)+"?pool_max_conns=1")
	s := open(t, pool, silent)
	owner := "ann"
	const n = 250 // more than two pages
	for range n {
		c := creation()
		c.Owner = &owner
		create(t, s, c)
	}
	for _, f := range []store.Filter{{All: true}, {Owner: owner}} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		seen := map[store.ID]bool{}
		for r, err := range s.List(ctx, f) {
			check(t, err)
			if seen[r.ID] {
				t.Fatalf("%v comes twice", r.ID)
			}
			seen[r.ID] = true
			if _, err := s.Load(ctx, r.Token); err != nil {
				t.Fatalf("in the loop: %v", err)
			}
		}
		cancel()
		if len(seen) != n {
			t.Errorf("List %+v: got %d sessions, want %d", f, len(seen), n)
		}
	}
}
