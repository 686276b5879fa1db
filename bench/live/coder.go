package live

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// coderSite is coder/websocket as its documentation uses it: a loop within the handler.
func coderSite() (http.Handler, error) {
	fan, queue := newCoderGroup(), newCoderGroup()
	mux := http.NewServeMux()
	mux.Handle("/idle", coderHandler(func(context.Context, *websocket.Conn, []byte) error { return nil }))
	mux.Handle("/echo", coderHandler(coderWrite))
	mux.Handle("/fan", coderHandler(fan.write).within(fan.enter))
	mux.Handle("/queue", coderHandler(queue.put).within(queue.enterWithQueue))
	mux.Handle("/fan/members", members(fan.members))
	mux.Handle("/queue/members", members(queue.members))
	return mux, nil
}

// A coderHandler is called for each message.
type coderHandler func(ctx context.Context, c *websocket.Conn, text []byte) error

func (h coderHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.within(func(context.Context, *websocket.Conn) func() { return func() {} }).ServeHTTP(w, r)
}

// within calls enter before the first message, and what it returns after the last one.
func (h coderHandler) within(enter func(context.Context, *websocket.Conn) (leave func())) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		defer enter(r.Context(), c)()
		for {
			_, text, err := c.Read(r.Context())
			if err != nil || h(r.Context(), c, text) != nil {
				return
			}
		}
	})
}

func coderWrite(ctx context.Context, c *websocket.Conn, text []byte) error {
	return c.Write(ctx, websocket.MessageText, text)
}

// A coderGroup is all connections of a path, with a queue each where there are queues.
type coderGroup struct {
	mu    sync.Mutex
	conns map[*websocket.Conn]chan []byte // guarded by mu
}

func newCoderGroup() *coderGroup { return &coderGroup{conns: make(map[*websocket.Conn]chan []byte)} }

func (g *coderGroup) enter(_ context.Context, c *websocket.Conn) (leave func()) {
	g.add(c, nil)
	return func() { g.remove(c) }
}

func (g *coderGroup) add(c *websocket.Conn, queue chan []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conns[c] = queue
}

func (g *coderGroup) members(context.Context) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.conns), nil
}

func (g *coderGroup) remove(c *websocket.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
}

// write writes to all connections, one after the other.
func (g *coderGroup) write(ctx context.Context, _ *websocket.Conn, text []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		c.Write(ctx, websocket.MessageText, text) // a page that has gone is no error
	}
	return nil
}

// enterWithQueue does what the chat among coder/websocket's examples does: a queue of 16 messages for each connection,
// a goroutine that writes them, and five seconds for each write.
func (g *coderGroup) enterWithQueue(ctx context.Context, c *websocket.Conn) (leave func()) {
	queue, done := make(chan []byte, 16), make(chan struct{})
	g.add(c, queue)
	go func() {
		for {
			select {
			case <-done:
				return
			case text := <-queue:
				ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
				coderWrite(ctx, c, text)
				cancel()
			}
		}
	}()
	return func() {
		g.remove(c)
		close(done)
	}
}

// put closes connections that are too slow to keep up, as that example does.
func (g *coderGroup) put(_ context.Context, _ *websocket.Conn, text []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c, queue := range g.conns {
		select {
		case queue <- text:
		default:
			go c.Close(websocket.StatusPolicyViolation, "connection too slow to keep up with messages")
		}
	}
	return nil
}
