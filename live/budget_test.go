package live_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/lazysession/session/live"
)

// openRaw opens a socket whose client side is nothing but a connection.
func (s *site) openRaw(cookie string) net.Conn {
	s.t.Helper()
	address := strings.TrimPrefix(s.url, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(conn, "GET /live HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nCookie: %s\r\nUpgrade: websocket\r\nConnection: "+
		"Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+
		"Sec-WebSocket-Protocol: live.1\r\n\r\n", address, s.url, cookie)
	r := bufio.NewReader(conn)
	response, err := http.ReadResponse(r, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		s.t.Fatalf("got %+v, error %v, want an upgrade", response, err)
	}
	conn.Write(append([]byte{0x81, 0x80 | byte(len(hello)), 0, 0, 0, 0}, hello...)) // masked by zeros
	if _, err := r.Peek(len(`xx{"t":"welcome"`)); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// An idle socket needs neither buffers nor a deep stack.
func TestIdleSocketNeedsLittle(t *testing.T) {
	const sockets, most = 200, 9000 // bytes, with the connection of the client
	s := newSite(t, live.Endpoint{}, nil)
	openSome := func(n int) {
		for i := range n {
			s.openRaw(s.login(fmt.Sprint("visitor", i)))
		}
	}
	openSome(10)
	before := settledHeap()
	openSome(sockets)
	eventually(t, "all sockets wait in their own read", func() bool { return waiting(t) >= sockets })
	got := (settledHeap() - before) / sockets
	t.Logf("an idle socket has %d bytes of heap", got)
	if got > most {
		t.Errorf("an idle socket has %d bytes of heap, want %d at most", got, most)
	}
}

func settledHeap() int64 {
	http.DefaultClient.CloseIdleConnections()
	runtime.GC()
	runtime.GC() // also what pools have kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// waiting returns how many goroutines wait for a client right below the function that reads.
func waiting(t *testing.T) (n int) {
	var text strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&text, 2); err != nil {
		t.Fatal(err)
	}
	for stack := range strings.SplitSeq(text.String(), "\n\n") {
		if strings.Contains(stack, "live.(*sharedConn).await") && !strings.Contains(stack, "websocket.(*Conn)") {
			n++
		}
	}
	return n
}

// What an echo allocates is bounded, with what the client of coder/websocket does.
func TestEchoAllocatesLittle(t *testing.T) {
	const most = 30 // 20, and 23 under the race detector
	s := newSite(t, live.Endpoint{
		Message: func(ctx context.Context, s *live.Socket, m live.Message) error { return s.Send(ctx, m.Data) },
	}, nil)
	c, _ := s.open(s.login("anna"), hello)
	n := 0
	got := testing.AllocsPerRun(200, func() {
		n++
		c.send(fmt.Sprintf(`[%d,"hello"]`, n))
		for range 2 { // the message and its acknowledgement, in any order
			if _, _, err := c.ws.Read(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if n%32 == 0 {
			c.send(fmt.Sprintf(`{"t":"ack","at":{"":%d}}`, n))
		}
	})
	t.Logf("%v allocations an echo", got)
	if got > most {
		t.Errorf("%v allocations an echo, want %d at most", got, most)
	}
}

// What a message to a channel allocates is its own, and nothing for each socket that it goes to: its frame is built
// once.
func TestDeliveryAllocatesNothing(t *testing.T) {
	const few, many, messages = 10, 110, 50
	var room *live.Channel
	s := newSite(t, live.Endpoint{Open: func(ctx context.Context, s *live.Socket) error {
		_, err := room.Join(ctx, s, "")
		return err
	}}, &live.Config{MaxDown: 10_000, MaxDownBytes: 1 << 20})
	room = s.hub.Channel("room", nil)
	sockets := 0
	openUpTo := func(n int) {
		for ; sockets < n; sockets++ {
			conn := s.openRaw(s.login(fmt.Sprint("visitor", sockets)))
			go io.Copy(io.Discard, conn)
		}
		eventually(t, "all are in", func() bool {
			members, err := room.Members(t.Context())
			return err == nil && len(members) == n
		})
	}
	post := func() {
		before := s.hub.Figures().Out
		if err := room.Send(t.Context(), []byte(`"to all"`)); err != nil {
			t.Fatal(err)
		}
		for s.hub.Figures().Out < before+uint64(sockets) {
			time.Sleep(10 * time.Microsecond)
		}
	}
	allocations := func(n int) float64 {
		openUpTo(n)
		for range 2 * messages { // what each socket remembers of unacknowledged messages has grown then
			post()
		}
		return testing.AllocsPerRun(messages, post)
	}
	first, second := allocations(few), allocations(many)
	t.Logf("%v allocations a message to %d sockets, %v to %d", first, few, second, many)
	if a := (second - first) / (many - few); a > 0.1 {
		t.Errorf("a delivery has %v allocations, want none", a)
	}
}
