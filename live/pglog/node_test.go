package pglog_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/pglog"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store/postgres"
)

// A post is what a client sends to all, and what all get: with how many there were before it in Count.
type post struct {
	Client, Number int
	Count          int64
}

// nodeVariable of the environment has the plan of a process that is to be a node: this program, started anew.
const nodeVariable = "SESSION_TEST_NODE"

// A nodePlan says what a node does.
type nodePlan struct {
	Database string
	Dies     step  // at which step of handling a message; "": it doesn't
	After    int64 // messages
}

// serveNode serves until its standard input ends. It prints its address.
func serveNode(text string) error {
	var plan nodePlan
	if err := json.Unmarshal([]byte(text), &plan); err != nil {
		return err
	}
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, plan.Database)
	if err != nil {
		return err
	}
	sessions, err := postgres.Open(ctx, pool, nil)
	if err != nil {
		return err
	}
	m, err := session.New(sessions, &session.Config{
		Keys:   [][]byte{[]byte(strings.Repeat("k", 32))},
		Cookie: session.Cookie{Name: "session", Secure: session.InsecureForDevelopment},
	})
	if err != nil {
		return err
	}
	log, err := pglog.Open(ctx, pool, &pglog.Options{Sessions: sessions})
	if err != nil {
		return err
	}
	hub, err := live.New(m, &mortal{Log: log, plan: plan}, nil)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	name := session.NewKey[string]("name")
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		if err := name.Set(r.Context(), "x"); err != nil {
			session.Error(w, r, err)
		}
	})
	mux.HandleFunc("/mine", func(w http.ResponseWriter, r *http.Request) {
		n, err := session.NewCounter("mine").Get(r.Context())
		if err != nil {
			session.Error(w, r, err)
			return
		}
		fmt.Fprint(w, n)
	})
	mux.Handle("/live", hub.Handler(postsToAll(hub.Channel("room", &live.Rules{Keep: live.Retention{Messages: 1e6}}))))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go http.Serve(l, m.Handler(mux))
	fmt.Println(l.Addr())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// postsToAll counts posts in the channel's state and in the client's session, keeps each in a table, and sends it to
// all members.
func postsToAll(room *live.Channel) live.Endpoint {
	count, mine := session.NewCounter("count"), session.NewCounter("mine")
	return live.Endpoint{
		Open: func(ctx context.Context, s *live.Socket) error {
			_, err := room.Join(ctx, s, "")
			return err
		},
		Message: live.On(func(ctx context.Context, s *live.Socket, p post) error {
			err := room.Do(ctx, func(ctx context.Context) (err error) {
				p.Count, err = count.Add(ctx, 1)
				return err
			})
			if err != nil {
				return err
			}
			data, err := json.Marshal(p)
			if err != nil {
				return err
			}
			if err := room.Send(ctx, data); err != nil {
				return err
			}
			tx, err := pglog.Tx(ctx)
			if err != nil {
				return err
			}
			if _, err = tx.Exec(ctx, "INSERT INTO posts VALUES ($1, $2)", p.Client, p.Number); err != nil {
				return err
			}
			_, err = mine.Add(ctx, 1)
			return err
		}),
	}
}

// A step is a moment in the handling of a message at which a node can die.
type step string

const (
	beforeCommit step = "before the commit"
	afterCommit  step = "between the commit and the acknowledgement"
)

// A mortal log kills its own process at a step of one of the messages.
type mortal struct {
	*pglog.Log
	plan    nodePlan
	handled atomic.Int64
}

// around calls commit with its step before and the one after.
func (l *mortal) around(b *stream.Batch, commit func() ([]stream.Position, error)) ([]stream.Position, error) {
	last := b.In > 0 && l.handled.Add(1) == l.plan.After
	if last && l.plan.Dies == beforeCommit {
		die()
	}
	at, err := commit()
	if last && l.plan.Dies == afterCommit {
		die()
	}
	return at, err
}

// die ends the process at once.
func die() {
	p, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = p.Kill()
	}
	panic(fmt.Sprint("still alive: ", err))
}

func (l *mortal) Commit(ctx context.Context, b *stream.Batch) ([]stream.Position, error) {
	return l.around(b, func() ([]stream.Position, error) { return l.Log.Commit(ctx, b) })
}

func (l *mortal) Begin(ctx context.Context) (stream.Tx, error) {
	t, err := l.Log.Begin(ctx)
	return &mortalTx{t, l}, err
}

type mortalTx struct {
	stream.Tx
	l *mortal
}

func (t *mortalTx) Unwrap() stream.Tx { return t.Tx }

func (t *mortalTx) Commit(ctx context.Context, b *stream.Batch) ([]stream.Position, error) {
	return t.l.around(b, func() ([]stream.Position, error) { return t.Tx.Commit(ctx, b) })
}

// A process is a node.
type process struct {
	cmd     *exec.Cmd
	address string
}

func startNode(t *testing.T, plan nodePlan) *process {
	t.Helper()
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), nodeVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd}
	t.Cleanup(func() {
		input.Close()
		p.kill()
	})
	address, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal("the node doesn't say where it listens:", err)
	}
	p.address = strings.TrimSpace(address)
	return p
}

// kill ends the process at once, as a crash does.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// signal sends a signal to the process.
func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// A balancer sends each connection to the next node that takes it.
type balancer struct {
	listener net.Listener

	mu sync.Mutex
	// mu locks the remaining fields.
	nodes   []string
	next    int
	avoided string              // gets no connections
	open    map[net.Conn]string // the clients' connections, and the node of each
}

func startBalancer(t *testing.T, nodes ...string) *balancer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{listener: l, nodes: nodes, open: map[net.Conn]string{}}
	var serving sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { b.pass(c) })
		}
	})
	return b
}

func (b *balancer) url(path string) string { return "http://" + b.listener.Addr().String() + path }

func (b *balancer) set(i int, node string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nodes[i] = node
}

// avoid sends no more connections to a node, and cuts those that it has; "" avoids none.
func (b *balancer) avoid(node string) {
	b.mu.Lock()
	b.avoided = node
	b.mu.Unlock()
	b.cut(func(to string) bool { return to == node })
}

// cut breaks the connections to some nodes.
func (b *balancer) cut(to func(node string) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for client, node := range b.open {
		if to(node) {
			client.Close()
		}
	}
}

// choose connects to the next node.
func (b *balancer) choose() (conn net.Conn, node string) {
	b.mu.Lock()
	nodes := slices.Concat(b.nodes[b.next:], b.nodes[:b.next])
	nodes = slices.DeleteFunc(nodes, func(node string) bool { return node == b.avoided })
	b.next = (b.next + 1) % len(b.nodes)
	b.mu.Unlock()
	for _, node := range nodes {
		if c, err := net.Dial("tcp", node); err == nil {
			return c, node
		}
	}
	return nil, ""
}

// pass copies both ways until one side ends.
func (b *balancer) pass(client net.Conn) {
	defer client.Close()
	node, address := b.choose()
	if node == nil {
		return
	}
	defer node.Close()
	b.mu.Lock()
	b.open[client] = address
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.open, client)
	}()
	done := make(chan struct{})
	go func() {
		io.Copy(node, client)
		node.Close()
		client.Close()
		close(done)
	}()
	io.Copy(client, node)
	client.Close()
	node.Close()
	<-done
}
