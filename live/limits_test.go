package live_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live"
)

// A client gets no more messages than MaxDown or MaxDownBytes allow before it acknowledges these messages.
func TestMaxDown(t *testing.T) {
	for name, cfg := range map[string]*live.Config{
		"messages": {MaxDown: 2}, "bytes": {MaxDownBytes: 6}, // of two messages of 3 bytes
	} {
		t.Run(name, func(t *testing.T) {
			site := newSite(t, echo, cfg)
			c, w := site.open(site.login("ada"), hello)
			id, _ := live.ParseID(w.ID)
			for n := 1; n <= 3; n++ {
				if err := site.hub.Send(t.Context(), id, []byte(`"a"`)); err != nil {
					t.Fatal(err)
				}
			}
			c.want(`[1,"a"]`, `[2,"a"]`)
			wantNoMore := func(n int) {
				t.Helper()
				c.send(fmt.Sprintf(`[%d,1]`, n))
				c.want(fmt.Sprintf(`{"t":"ack","in":%d}`, n)) // with which all would come that may
				if got := site.hub.Unacked(id); got != 2 {
					t.Fatalf("%d messages are on their way, want 2", got)
				}
			}
			wantNoMore(1)
			c.send(`{"t":"ack","at":{"room":7,"other":99999}}`)
			wantNoMore(2)
			c.send(`{"t":"ack","at":{"":1}}`)
			c.want(`[3,"a"]`)
			wantNoMore(3)
			c.send(`{"t":"ack","at":{"":99}}`) // of what it never got, too
			c.want(`[4,{"from":"ada","echo":1}]`)
		})
	}
}

// A client that acknowledges nothing for StallTimeout is sent away, and may come back.
func TestStallTimeout(t *testing.T) {
	site := newSite(t, echo, &live.Config{StallTimeout: time.Second})
	cookie := site.login("ada")
	c, w := site.open(cookie, hello)
	c.send(`[1,1]`)
	c.wantClose(1013)
	c, again := site.open(cookie, w.again())
	if !again.Resumed || again.In != 1 {
		t.Errorf("welcome %+v", again)
	}
	c.want(`[1,{"from":"ada","echo":1}]`)
}

// A reader that stops costs no memory, and gets the rest when it goes on.
func TestReaderThatStops(t *testing.T) {
	const messages = 2000
	site := newSite(t, echo, &live.Config{
		StallTimeout: time.Hour, Beat: time.Hour, Keep: live.Retention{Messages: messages, Bytes: 64 << 20, Age: time.Hour},
	})
	c, w := site.open(site.login("ada"), hello)
	id, _ := live.ParseID(w.ID)
	data := []byte(`"` + strings.Repeat("a", 8<<10) + `"`)
	send := func() {
		if err := site.hub.Send(context.Background(), id, data); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		send()
	}
	before := heap()
	for range messages - 100 {
		send()
	}
	const kept = (messages - 100) * (9472 + 256) // by the log, which is in memory here, in blocks of 9,472 bytes
	if grown := heap() - before; grown > kept*3/2 {
		t.Errorf("the heap has grown by %d bytes, of which the log has about %d", grown, kept)
	}
	for n := 1; n <= messages; n++ {
		if got := c.receive(); !strings.HasPrefix(got, fmt.Sprintf(`[%d,"aaa`, n)) || len(got) < len(data) {
			t.Fatalf("got %.40s as message %d", got, n)
		}
		if n%16 == 0 {
			c.send(fmt.Sprintf(`{"t":"ack","at":{"":%d}}`, n))
		}
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A connection that fails again and again while it is resumed loses nothing.
func TestFailingAgainDuringResume(t *testing.T) {
	site := newSite(t, echo, nil)
	cookie := site.login("ada")
	c, w := site.open(cookie, hello)
	c.send(`[1,"kept"]`)
	c.want(`{"t":"ack","in":1}`)
	c.cut()
	for n := range 5 {
		c := site.dial(cookie)
		if n > 0 {
			c.send(w.again())
		}
		if n > 2 {
			c.receive() // welcome
		}
		c.cut()
	}
	c, again := site.open(cookie, w.again())
	if !again.Resumed || again.In != 1 {
		t.Errorf("welcome %+v", again)
	}
	c.want(`[1,{"from":"ada","echo":"kept"}]`)
}

// A node that hangs in its handler, while another takes the socket, commits nothing of it.
func TestHangingNodeIsFenced(t *testing.T) {
	handling, goOn := make(chan struct{}), make(chan struct{})
	done := make(chan struct{})
	a, l := newHookedSite(t, live.Endpoint{Message: func(ctx context.Context, s *live.Socket, m live.Message) error {
		close(handling)
		<-goOn
		defer close(done)
		return s.Send(ctx, []byte(`"from the node that hung"`))
	}}, &live.Config{Node: "a"})
	b := newNode(t, a.store, l, echo, &live.Config{Node: "b"})
	cookie := a.login("ada")
	old, w := a.open(cookie, hello)
	old.send(`[1,"again"]`)
	<-handling
	c, again := b.open(cookie, w.again())
	if !again.Resumed || again.In != 0 {
		t.Errorf("welcome %+v", again)
	}
	old.wantClose(live.StatusTakenOver)
	close(goOn)
	<-done
	c.send(`[1,"again"]`)
	c.want(`{"t":"ack","in":1}`, `[1,{"from":"ada","echo":"again"}]`)
}

// What a client sends moves the end of its session, once in a tenth of the idle timeout; signs of life don't.
func TestMessagesMoveTheEndOfTheSession(t *testing.T) {
	const idle = 10 * time.Second
	site := newSite(t, live.Endpoint{ // which doesn't use the session itself
		Message: func(context.Context, *live.Socket, live.Message) error { return nil },
	}, nil)
	s, err := site.m.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.SetIdleTimeout(idle), s.SetOwner("ada"), s.Commit(t.Context())); err != nil {
		t.Fatal(err)
	}
	token, err := s.Token()
	if err != nil {
		t.Fatal(err)
	}
	c, _ := site.open("session="+token, hello)
	seen := func() time.Time {
		for info, err := range site.m.Sessions(t.Context(), session.Filter{Owner: "ada"}) {
			if err != nil {
				t.Fatal(err)
			}
			return info.LastSeen
		}
		t.Fatal("no session")
		return time.Time{}
	}
	opened := seen()
	eventually(t, "a tenth of the idle timeout has passed", func() bool {
		c.send(`{"t":"beat"}`)
		return time.Since(opened) > idle/10+100*time.Millisecond
	})
	if got := seen(); !got.Equal(opened) {
		t.Errorf("signs of life moved last-seen from %v to %v", opened, got)
	}
	c.send(`[1,1]`)
	c.want(`{"t":"ack","in":1}`)
	if got := seen(); !got.After(opened) {
		t.Errorf("a message did not move last-seen from %v", got)
	}
}

// A session that ends between the upgrade and the hello opens no socket: the hub hears only of sessions that it has
// sockets of.
func TestLogoutBeforeHello(t *testing.T) {
	site := newSite(t, echo, nil)
	cookie := site.login("ada")
	c := site.dial(cookie)
	site.get("/logout", cookie)
	c.send(hello)
	_, text, err := c.ws.Read(t.Context())
	if websocket.CloseStatus(err) != live.StatusSessionEnded {
		t.Errorf("got %s, error %v, want the close code %d", text, err, live.StatusSessionEnded)
	}
}
