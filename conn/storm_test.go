package conn_test

import (
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/lazysession/session/internal/expect"
	"go.uber.org/goleak"
)

// Many connections are opened, and reset at any point of a request.
func TestAbruptlyDroppedConnections(t *testing.T) {
	total := 100_000
	if testing.Short() {
		total = 5_000
	}
	before := goleak.IgnoreCurrent()
	w := newWitness(t)
	s := startSite(t, w, ways[0], counting(w))
	address := s.url[len("http://"):]
	const workers = 32 // also the most that are open, besides those that the server has not accepted yet
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for n := i; n < total; n += workers {
				drop(t, address, n)
			}
		})
	}
	wg.Wait()
	_, err := s.get("/") // comes after all that were still waiting to be accepted
	expect.NoError(t, err)
	s.stop()
	s.wantReleased(int(w.table.Figures().Opened))
	if opened := int(w.table.Figures().Opened); opened < total {
		t.Errorf("opened: got %d, want %d and the last", opened, total)
	}
	goleak.VerifyNone(t, before)
}

// drop connects, sends a part of a request, and resets the connection.
func drop(t *testing.T, address string, n int) {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Errorf("dial %d: %v", n, err)
		return
	}
	const text = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	sent := n % (len(text) + 1)
	_, _ = io.WriteString(nc, text[:sent])
	if sent == len(text) && n%2 == 0 { // some wait for the answer
		_, _ = nc.Read(make([]byte, 1))
	}
	reset(nc.(*net.TCPConn))
}

// Connections are killed again and again while many requests and WebSockets are on them.
func TestKilledUnderLoad(t *testing.T) {
	rounds := 15
	if testing.Short() {
		rounds = 5
	}
	for _, kind := range ways {
		t.Run(kind.name, func(t *testing.T) {
			w := newWitness(t)
			var mux http.ServeMux
			mux.HandleFunc("/", counting(w))
			mux.HandleFunc("/echo", echo(w))
			mux.HandleFunc("/stream", func(rw http.ResponseWriter, r *http.Request) {
				_, done := w.use(r.Context())
				defer done()
				for range 100 {
					if _, err := rw.Write(make([]byte, 16<<10)); err != nil {
						return
					}
				}
			})
			s := startSite(t, w, kind, &mux)
			for range rounds {
				var wg sync.WaitGroup
				for range 12 {
					wg.Go(func() { s.visit(t, rand.IntN(3)) })
				}
				for range rand.IntN(4) {
					_, _ = s.get("/")
				}
				s.kill()
				wg.Wait()
			}
			s.kill()
			s.stop()
			s.wantReleased(int(w.table.Figures().Opened))
		})
	}
}

// visit uses a site in one of three ways. It may fail.
func (s *site) visit(t *testing.T, manner int) {
	switch manner {
	case 0:
		_, _ = s.get("/")
	case 1:
		_, _ = s.get("/stream")
	case 2:
		ws, _, err := websocket.Dial(t.Context(), s.url+"/echo", &websocket.DialOptions{HTTPClient: s.client})
		if err != nil {
			return
		}
		defer ws.CloseNow()
		if ws.Write(t.Context(), websocket.MessageText, []byte("hello")) == nil {
			_, _, _ = ws.Read(t.Context())
		}
	}
}
