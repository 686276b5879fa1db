package live

import (
	"context"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
)

// gorillaSite is gorilla/websocket as its example of a chat uses it: for each connection a goroutine that reads, one
// that writes, and a queue of 256 messages between them.
func gorillaSite() (http.Handler, error) {
	fan, queue := &gorillaHub{clients: map[*gorillaClient]bool{}}, &gorillaHub{clients: map[*gorillaClient]bool{}}
	idle := &gorillaHub{clients: map[*gorillaClient]bool{}}
	mux := http.NewServeMux()
	mux.Handle("/idle", idle.handler(func(*gorillaClient, []byte) {}))
	mux.Handle("/echo", idle.handler(func(c *gorillaClient, text []byte) { c.send <- text }))
	mux.Handle("/fan", fan.handler(fan.broadcast))
	mux.Handle("/queue", queue.handler(queue.broadcast))
	mux.Handle("/fan/members", members(fan.members))
	mux.Handle("/queue/members", members(queue.members))
	return mux, nil
}

type gorillaClient struct {
	conn *websocket.Conn
	send chan []byte
}

type gorillaHub struct {
	mu      sync.Mutex
	clients map[*gorillaClient]bool // guarded by mu
}

func (h *gorillaHub) handler(message func(c *gorillaClient, text []byte)) http.Handler {
	upgrader := websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024} // those of the example
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		c := &gorillaClient{conn: conn, send: make(chan []byte, 256)}
		h.mu.Lock()
		h.clients[c] = true
		h.mu.Unlock()
		go c.write()
		go func() {
			defer h.remove(c)
			for {
				_, text, err := conn.ReadMessage()
				if err != nil {
					return
				}
				message(c, text)
			}
		}()
	})
}

func (h *gorillaHub) members(context.Context) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.clients), nil
}

func (h *gorillaHub) remove(c *gorillaClient) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.removeLocked(c)
}

func (h *gorillaHub) removeLocked(c *gorillaClient) {
	if h.clients[c] {
		delete(h.clients, c)
		close(c.send)
	}
}

// broadcast queues a message for all, and lets those go whose queue is full, as the example does.
func (h *gorillaHub) broadcast(_ *gorillaClient, text []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.clients {
		select {
		case c.send <- text:
		default:
			h.removeLocked(c)
		}
	}
}

func (c *gorillaClient) write() {
	defer c.conn.Close()
	for text := range c.send {
		if err := c.conn.WriteMessage(websocket.TextMessage, text); err != nil {
			return
		}
	}
}
