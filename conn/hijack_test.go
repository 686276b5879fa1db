package conn_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/coder/websocket"

	"github.com/lazysession/session/conn"
	"github.com/lazysession/session/internal/expect"
)

// A hijacked connection is released when the code that hijacked it closes it, not when net/http drops it.
func TestHijacked(t *testing.T) {
	for _, kind := range ways[:2] { // HTTP/2 can't be hijacked
		t.Run(kind.name, func(t *testing.T) {
			w := newWitness(t)
			hijacked := make(chan net.Conn, 1)
			s := startSite(t, w, kind, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				_, done := w.use(r.Context())
				defer done()
				nc, _, err := http.NewResponseController(rw).Hijack()
				expect.NoError(t, err)
				hijacked <- nc
			}))
			failed := make(chan error, 1)
			go func() { _, err := s.get("/"); failed <- err }()
			nc := await(t, "hijacking", hijacked)
			c := conn.From(nc)
			expect.NoError(t, s.server.Shutdown(t.Context())) // which ends all others
			s.wantFigures(1, 0)
			l, err := w.lives.Get(c)
			expect.NoError(t, err)
			expect.Equal(t, "requests", l.requests.Load(), 1)
			expect.NoError(t, nc.Close())
			s.wantReleased(1)
			if await(t, "the client", failed) == nil {
				t.Error("it was answered")
			}
		})
	}
}

// A hijacked connection that is closed while its handler still runs is released when the handler returns.
func TestHijackedAndClosedInTheHandler(t *testing.T) {
	w := newWitness(t)
	s := startSite(t, w, ways[0], http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, done := w.use(r.Context())
		defer done()
		nc, _, err := http.NewResponseController(rw).Hijack()
		expect.NoError(t, err)
		expect.NoError(t, nc.Close())
	}))
	_, _ = s.get("/")
	s.wantReleased(int(w.table.Figures().Opened))
}

func TestWebSocket(t *testing.T) {
	for name, end := range map[string]func(*site, *websocket.Conn){
		"closed by the client": func(_ *site, ws *websocket.Conn) { ws.Close(websocket.StatusNormalClosure, "") },
		"client gone":          func(s *site, ws *websocket.Conn) { s.kill(); ws.CloseNow() },
	} {
		for _, kind := range ways[:2] {
			t.Run(kind.name+", "+name, func(t *testing.T) {
				w := newWitness(t)
				s := startSite(t, w, kind, echo(w))
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				ws, _, err := websocket.Dial(ctx, s.url, &websocket.DialOptions{HTTPClient: s.client})
				expect.NoError(t, err)
				for range 3 {
					expect.NoError(t, ws.Write(ctx, websocket.MessageText, []byte("hello")))
					_, text, err := ws.Read(ctx)
					expect.NoError(t, err)
					expect.Equal(t, "echo", string(text), "hello")
				}
				s.wantFigures(1, 0)
				end(s, ws)
				s.wantReleased(1)
			})
		}
	}
}

// echo hands the WebSocket to a goroutine that outlives the handler, and so keeps the connection itself.
func echo(w *witness) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		_, done := w.use(r.Context())
		defer done()
		ws, err := websocket.Accept(rw, r, nil)
		if err != nil {
			return
		}
		go func() {
			defer ws.CloseNow()
			for {
				kind, text, err := ws.Read(context.Background())
				if err != nil || ws.Write(context.Background(), kind, text) != nil {
					return
				}
			}
		}()
	}
}

// After a hijack, the bytes that the server has buffered come first. Then the connection works like any other.
func TestHijackedConnectionWorks(t *testing.T) {
	w := newWitness(t)
	s := startSite(t, w, ways[0], http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		nc, buf, err := http.NewResponseController(rw).Hijack()
		expect.NoError(t, err)
		defer nc.Close()
		_, err = io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		expect.NoError(t, err)
		_, _ = io.CopyN(nc, buf, 5)
	}))
	nc, err := net.Dial("tcp", s.url[len("http://"):])
	expect.NoError(t, err)
	defer nc.Close()
	_, err = io.WriteString(nc, "GET / HTTP/1.1\r\nHost: x\r\n\r\nhello")
	expect.NoError(t, err)
	in := bufio.NewReader(nc)
	resp, err := http.ReadResponse(in, nil)
	expect.NoError(t, err)
	expect.Equal(t, "status", resp.StatusCode, http.StatusSwitchingProtocols)
	text, err := io.ReadAll(in)
	expect.NoError(t, err)
	expect.Equal(t, "echo", string(text), "hello")
	s.wantReleased(1)
}
