package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"
)

// A network is one client's way to a server that a test plays. It has real HTTP and real WebSockets over pipes, so that
// it works in a bubble of synctest.
type network struct {
	t         *testing.T
	client    *http.Client
	transport *http.Transport
	handler   http.HandlerFunc // of the server; serve unless the test sets another
	auto      bool             // connections succeed by themselves
	accepted  chan net.Conn
	server    *http.Server

	mu      sync.Mutex    // locks the remaining fields
	headers []http.Header // of all requests
	tries   int           // connections that the client has begun to make
	pending chan bool     // whether the connection that is being made succeeds
	conn    *websocket.Conn
	frames  []any                  // from the client
	closes  []websocket.StatusCode // by the client; -1: without a code
}

func newNetwork(t *testing.T) *network {
	n := &network{t: t, accepted: make(chan net.Conn)}
	n.transport = &http.Transport{DialContext: n.dial}
	n.client = &http.Client{Transport: n}
	n.handler = n.serve
	n.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n.handler(w, r) })}
	go n.server.Serve(pipeListener{n.accepted})
	t.Cleanup(func() {
		n.cut()
		n.transport.CloseIdleConnections()
		_ = n.server.Close()
	})
	return n
}

// RoundTrip waits for the test to open or to refuse the connection.
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := make(chan bool, 1)
	n.mu.Lock()
	n.tries++
	n.headers = append(n.headers, r.Header.Clone())
	n.pending = answer
	n.mu.Unlock()
	if n.auto {
		n.answer(true)
	}
	select {
	case ok := <-answer:
		if !ok {
			return nil, errors.New("refused")
		}
		return n.transport.RoundTrip(r)
	case <-r.Context().Done():
		n.giveUp(answer)
		return nil, context.Cause(r.Context())
	}
}

func (n *network) giveUp(answer chan bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.pending == answer {
		n.pending = nil
	}
	n.closes = append(n.closes, -1)
}

func (n *network) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	n.accepted <- server
	return client, nil
}

// closed notes that the client has closed a connection.
func (n *network) closed(code websocket.StatusCode) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closes = append(n.closes, code)
}

// answer opens or refuses the connection that is being made.
func (n *network) answer(ok bool) {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.pending == nil {
		n.t.Fatal("the client is not connecting")
	}
	n.pending <- ok
	n.pending = nil
}

// serve is the handler of the server: it notes what the client sends until one of both closes.
func (n *network) serve(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: r.Header["Sec-Websocket-Protocol"]})
	if err != nil {
		n.t.Error(err)
		return
	}
	n.mu.Lock()
	n.conn = ws
	n.mu.Unlock()
	for {
		_, text, err := ws.Read(context.Background())
		if err != nil {
			if n.forget(ws) {
				n.closed(websocket.CloseStatus(err))
			}
			_ = ws.CloseNow()
			return
		}
		var frame any
		if err := json.Unmarshal(text, &frame); err != nil {
			n.t.Errorf("from the client: %q: %v", text, err)
		}
		n.mu.Lock()
		n.frames = append(n.frames, frame)
		n.mu.Unlock()
	}
}

// forget reports whether the connection was in use, and not closed by the test.
func (n *network) forget(ws *websocket.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conn != ws {
		return false
	}
	n.conn = nil
	return true
}

// take returns the connection, and forgets it, so that its end is not the client's.
func (n *network) take() *websocket.Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	ws := n.conn
	n.conn = nil
	return ws
}

func (n *network) cut() {
	if ws := n.take(); ws != nil {
		_ = ws.CloseNow()
	}
}

func (n *network) close(code websocket.StatusCode, reason string) {
	n.t.Helper()
	if err := n.take().Close(code, reason); err != nil {
		n.t.Fatal(err)
	}
}

func (n *network) say(kind websocket.MessageType, text string) {
	n.t.Helper()
	n.mu.Lock()
	ws := n.conn
	n.mu.Unlock()
	if ws == nil {
		n.t.Fatalf("no connection for %s", text)
	}
	if err := ws.Write(context.Background(), kind, []byte(text)); err != nil {
		n.t.Fatal(err)
	}
	synctest.Wait()
}

// next takes the client's oldest frame.
func (n *network) next() any {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.frames) == 0 {
		return nil
	}
	frame := n.frames[0]
	n.frames = n.frames[1:]
	return frame
}

// A pipeListener accepts what is sent to it.
type pipeListener struct{ conns chan net.Conn }

func (l pipeListener) Accept() (net.Conn, error) {
	nc, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return nc, nil
}

func (l pipeListener) Close() error {
	close(l.conns)
	return nil
}

func (l pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }
