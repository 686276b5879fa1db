package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/stream"
)

const clientID = "a0000000000000000000000000000001"

func welcomeText(id string, resumed bool, in int, at string) string {
	return fmt.Sprintf(`{"t":"welcome","id":%q,"resumed":%t,"in":%d,"at":%s,"win":64,"max":65536,"beat":25}`,
		id, resumed, in, at)
}

// inBubble runs a test whose time is that of a bubble.
func inBubble(t *testing.T, f func(t *testing.T, n *network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newNetwork(t)) })
}

// welcome opens the connection that is being made, and returns the client's hello.
func (n *network) welcome(text string) any {
	n.t.Helper()
	synctest.Wait()
	n.answer(true)
	synctest.Wait()
	hello := n.next()
	n.say(websocket.MessageText, text)
	return hello
}

// dialled returns a Conn that is welcome.
func (n *network) dialled() *live.Conn {
	n.t.Helper()
	c := n.dialling()
	n.welcome(welcomeText(clientID, false, 0, `{"":["e1",0]}`))
	return c
}

func (n *network) dialling() *live.Conn {
	n.t.Helper()
	options := &live.DialOptions{HTTPClient: n.client}
	c, err := live.DialWith("ws://live.test/", options, func() float64 { return 0.5 })
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = c.Close() })
	return c
}

// comeback breaks the connection, and opens the next one.
func (n *network) comeback(text string) (hello any) {
	n.t.Helper()
	n.cut()
	time.Sleep(time.Second)
	return n.welcome(text)
}

func (n *network) wantFrame(want string) {
	n.t.Helper()
	synctest.Wait()
	wantJSON(n.t, n.next(), want)
}

func wantJSON(t *testing.T, got any, want string) {
	t.Helper()
	if err := same("frame", got, json.RawMessage(want)); err != nil {
		t.Fatal(err)
	}
}

func wantReceived(t *testing.T, c *live.Conn, want ...string) {
	t.Helper()
	for _, data := range want {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		m, err := c.Receive(ctx)
		cancel()
		if err != nil || string(m.Data) != data {
			t.Fatalf("receive: got %s, %v, want %s", m.Data, err, data)
		}
	}
}

func TestDialWaitsForTheWelcome(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		dialled := make(chan *live.Conn, 1)
		go func() {
			c, err := live.Dial(t.Context(), "ws://live.test/", &live.DialOptions{HTTPClient: n.client})
			if err != nil {
				t.Error(err)
			}
			dialled <- c
		}()
		synctest.Wait()
		select {
		case <-dialled:
			t.Fatal("dial returned before the welcome")
		default:
		}
		n.welcome(welcomeText(clientID, false, 0, `{"":["e1",0]}`))
		c := <-dialled
		defer c.Close()
		if got := c.ID().String(); got != clientID {
			t.Errorf("id: got %s, want %s", got, clientID)
		}
	})
}

func TestDialReturnsWhyTheFirstTryFailed(t *testing.T) {
	cause := errors.New("the caller has gone")
	for _, c := range []struct {
		name  string
		fails func(n *network, cancel context.CancelCauseFunc)
		check func(err error) bool
	}{
		{"no server", func(n *network, _ context.CancelCauseFunc) { n.answer(false) },
			func(err error) bool { return strings.Contains(err.Error(), "refused") }},
		{"no session", func(n *network, _ context.CancelCauseFunc) { closeAtOnce(n, 4401) }, hasCode(4401)},
		{"later", func(n *network, _ context.CancelCauseFunc) { closeAtOnce(n, 1013) }, hasCode(1013)},
		{"context", func(_ *network, cancel context.CancelCauseFunc) { cancel(cause) },
			func(err error) bool { return errors.Is(err, cause) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				failed := make(chan error, 1)
				go func() {
					_, err := live.Dial(ctx, "ws://live.test/", &live.DialOptions{HTTPClient: n.client})
					failed <- err
				}()
				synctest.Wait()
				c.fails(n, cancel)
				if err := <-failed; err == nil || !c.check(err) {
					t.Errorf("dial: got %v", err)
				}
				time.Sleep(time.Minute)
				if n.tries != 1 {
					t.Errorf("connections: got %d, want 1", n.tries)
				}
			})
		})
	}
}

func closeAtOnce(n *network, code websocket.StatusCode) {
	n.answer(true)
	synctest.Wait()
	n.close(code, "")
}

func hasCode(code live.StatusCode) func(error) bool {
	return func(err error) bool {
		closed, ok := errors.AsType[*live.CloseError](err)
		return ok && closed.Code == code
	}
}

func TestDialRefusesAnotherProtocol(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		n.auto = true
		n.handler = func(w http.ResponseWriter, r *http.Request) {
			if ws, err := websocket.Accept(w, r, nil); err == nil {
				_, _, _ = ws.Read(context.Background())
			}
		}
		_, err := live.Dial(t.Context(), "ws://live.test/", &live.DialOptions{HTTPClient: n.client})
		if err == nil || !strings.Contains(err.Error(), "live.1") {
			t.Errorf("dial: got %v, want an error about the subprotocol", err)
		}
	})
}

func TestDialSaysTheOrigin(t *testing.T) {
	for _, c := range []struct {
		url    string
		header http.Header
		want   string
	}{
		{"ws://live.test:81/x", nil, "http://live.test:81"},
		{"wss://live.test/x?y", http.Header{"X-Other": {"kept"}}, "https://live.test"},
		{"http://live.test/", nil, "http://live.test"},
		{"https://live.test/", nil, "https://live.test"},
		{"wss://live.test/", http.Header{"Origin": {"https://other.test"}}, "https://other.test"},
	} {
		t.Run(c.url, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				before := c.header.Clone()
				options := &live.DialOptions{HTTPClient: n.client, HTTPHeader: c.header}
				go live.Dial(t.Context(), c.url, options)
				synctest.Wait()
				n.answer(false)
				if got := n.headers[0].Get("Origin"); got != c.want {
					t.Errorf("origin: got %q, want %q", got, c.want)
				}
				if got := n.headers[0].Get("X-Other"); got != c.header.Get("X-Other") {
					t.Errorf("another header: got %q", got)
				}
				if !slices.Equal(before["Origin"], c.header["Origin"]) {
					t.Errorf("the caller's header was changed: %v", c.header)
				}
			})
		})
	}
}

// A session that is renewed gets a new cookie. The next connection has to bring it.
func TestEachConnectionBringsTheCookies(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		n.client.Jar = jar
		site := &url.URL{Scheme: "http", Host: "live.test"}
		jar.SetCookies(site, []*http.Cookie{{Name: "session", Value: "old"}})
		n.dialled()
		jar.SetCookies(site, []*http.Cookie{{Name: "session", Value: "new"}})
		n.close(4501, "renewed")
		time.Sleep(300 * time.Millisecond)
		n.welcome(welcomeText(clientID, true, 0, `{}`))
		for i, want := range []string{"session=old", "session=new"} {
			if got := n.headers[i].Get("Cookie"); got != want {
				t.Errorf("connection %d: got cookie %q, want %q", i+1, got, want)
			}
		}
	})
}

func TestSendRefusesWhatIsNotJSON(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		c := n.dialled()
		for _, data := range []string{"", "hello", `{"a":`, "1 2", "1],[2"} {
			if err := c.Send(t.Context(), []byte(data)); err == nil {
				t.Errorf("%q was sent", data)
			}
		}
		if got := n.next(); got != nil {
			t.Errorf("frame: got %v, want none", got)
		}
	})
}

func TestSendEndsWithItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		c := n.dialling()
		cause := errors.New("gave up")
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			if err := c.Send(ctx, []byte(`"never sent"`)); !errors.Is(err, cause) {
				t.Errorf("send: got %v, want %v", err, cause)
			}
		}()
		synctest.Wait()
		cancel(cause)
		n.welcome(welcomeText(clientID, false, 0, `{"":["e1",0]}`))

		ctx, cancel = context.WithCancelCause(t.Context())
		go func() { _ = c.Send(ctx, []byte(`"on its way"`)) }()
		n.wantFrame(`[1,"on its way"]`)
		cancel(cause)
		go func() { _ = c.Send(t.Context(), []byte(`"next"`)) }()
		n.wantFrame(`[2,"next"]`)
		n.comeback(welcomeText(clientID, true, 0, `{}`))
		n.wantFrame(`[1,"on its way"]`)
		n.wantFrame(`[2,"next"]`)
	})
}

func TestSendCopiesItsData(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		c := n.dialling()
		data := []byte(`"before"`)
		go func() { _ = c.Send(t.Context(), data) }()
		synctest.Wait()
		copy(data, `"after!"`)
		n.welcome(welcomeText(clientID, false, 0, `{"":["e1",0]}`))
		n.wantFrame(`[1,"before"]`)
	})
}

func TestThousandMessagesMayWait(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		c := n.dialled()
		for range 1000 {
			go func() { _ = c.Send(context.Background(), []byte(`1`)) }()
		}
		synctest.Wait()
		full, ok := errors.AsType[*live.SendError](c.Send(t.Context(), []byte(`2`)))
		if !ok || full.Code != "full" {
			t.Errorf("send: got %v, want full", full)
		}
		if got := len(n.frames); got != 64 {
			t.Errorf("on their way: got %d, want 64", got)
		}
	})
}

// What the program has not received counts as never arrived, so that the server's window bounds what waits.
func TestResumeGoesOnFromWhatWasReceived(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		c := n.dialled()
		for i := range 5 {
			n.say(websocket.MessageText, fmt.Sprintf(`[%d,%d]`, i+1, i+1))
		}
		wantReceived(t, c, "1", "2")
		time.Sleep(time.Second)
		n.wantFrame(`{"t":"ack","at":{"":2}}`)
		wantReceived(t, c, "3")

		hello := n.comeback(welcomeText(clientID, true, 0, `{}`))
		wantJSON(t, hello, `{"t":"hello","id":"`+clientID+`","at":{"":["e1",3]}}`)
		if got := c.Waiting(); got != 0 {
			t.Errorf("waiting: got %d messages, want 0", got)
		}
		n.say(websocket.MessageText, `[4,4]`)
		n.say(websocket.MessageText, `[5,5]`)
		wantReceived(t, c, "4", "5")
	})
}

func TestWhatWaitsCanBeReceivedWhileOffline(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		c := n.dialled()
		n.say(websocket.MessageText, `[1,1]`)
		n.say(websocket.MessageText, `[2,2]`)
		n.say(websocket.MessageText, `[3,3]`)
		n.cut()
		wantReceived(t, c, "1", "2")
		time.Sleep(300 * time.Millisecond)
		synctest.Wait()
		n.answer(true)
		n.wantFrame(`{"t":"hello","id":"` + clientID + `","at":{"":["e1",2]}}`)

		// The server goes on after 2, so that 3 must not be received before its answer.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if m, err := c.Receive(ctx); err == nil {
			t.Errorf("received %s before the welcome", m.Data)
		}
		n.say(websocket.MessageText, welcomeText(clientID, true, 0, `{}`))
		n.say(websocket.MessageText, `[3,3]`)
		wantReceived(t, c, "3")
	})
}

// A try that breaks before the welcome changes nothing for what waits.
func TestWhatWaitsOutlivesATry(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		c := n.dialled()
		n.say(websocket.MessageText, `[1,1]`)
		n.cut()
		time.Sleep(time.Second)
		synctest.Wait()
		n.answer(true)
		n.wantFrame(`{"t":"hello","id":"` + clientID + `","at":{"":["e1",0]}}`)
		n.cut()
		wantReceived(t, c, "1")
	})
}

func TestResetWakesAllReceivers(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		c := n.dialled()
		n.say(websocket.MessageText, `[1,1]`)
		n.say(websocket.MessageText, `[2,2]`)
		n.cut()
		time.Sleep(time.Second)
		synctest.Wait()
		n.answer(true)
		synctest.Wait()
		received := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := c.Receive(context.Background())
				received <- err
			}()
		}
		synctest.Wait()
		n.say(websocket.MessageText, welcomeText("b0000000000000000000000000000002", false, 0, `{"":["e2",0]}`))
		if got := len(received); got != 3 {
			t.Errorf("received: got %d, want 2 messages and a gap", got)
		}
	})
}

func TestMessagesMayBeLarge(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		c := n.dialled()
		large := `"` + strings.Repeat("x", 1<<20) + `"`
		n.say(websocket.MessageText, `[1,`+large+`]`)
		wantReceived(t, c, large)
	})
}

// A reset makes the positions of the former socket void. What had arrived of it is still received.
func TestResetComesAfterWhatWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		c := n.dialled()
		n.say(websocket.MessageText, `[1,"old 1"]`)
		n.say(websocket.MessageText, `[2,"old 2"]`)
		n.comeback(welcomeText("b0000000000000000000000000000002", false, 0, `{"":["e2",0]}`))
		n.say(websocket.MessageText, `[1,"new"]`)
		// One more break: neither the old messages nor the gap are sent again.
		n.comeback(welcomeText("b0000000000000000000000000000002", true, 0, `{}`))
		n.say(websocket.MessageText, `[1,"new"]`)

		wantReceived(t, c, `"old 1"`, `"old 2"`)
		_, err := c.Receive(t.Context())
		if gap, ok := errors.AsType[*live.GapError](err); !ok || *gap != (live.GapError{Why: stream.Reset}) {
			t.Errorf("receive: got %v, want the reset", err)
		}
		if !errors.Is(err, stream.ErrGap) {
			t.Errorf("%v is no ErrGap", err)
		}
		wantReceived(t, c, `"new"`)
	})
}

// A join or a part counts when what stands before it was received.
func TestJoinHasItsPlaceAmongTheMessages(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		c := n.dialled()
		n.say(websocket.MessageText, `{"t":"join","s":"first","at":["e3",7],"seat":""}`)
		n.say(websocket.MessageText, `[1,"a"]`)
		n.say(websocket.MessageText, `{"t":"join","s":"second","at":["e4",8],"seat":""}`)
		n.say(websocket.MessageText, `{"t":"part","s":"first"}`)
		hello := n.comeback(welcomeText(clientID, true, 0, `{}`))
		wantJSON(t, hello, `{"t":"hello","id":"`+clientID+`","at":{"":["e1",0],"first":["e3",7]}}`)

		n.say(websocket.MessageText, `[1,"a"]`)
		n.say(websocket.MessageText, `{"t":"join","s":"second","at":["e4",8],"seat":""}`)
		n.say(websocket.MessageText, `{"t":"part","s":"first"}`)
		wantReceived(t, c, `"a"`)
		hello = n.comeback(welcomeText(clientID, true, 0, `{}`))
		wantJSON(t, hello, `{"t":"hello","id":"`+clientID+`","at":{"":["e1",1],"second":["e4",8]}}`)
	})
}

func TestReceiveReturnsTheRestAfterTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		c := n.dialled()
		n.say(websocket.MessageText, `[1,"last"]`)
		n.close(4401, "ended")
		synctest.Wait()
		wantReceived(t, c, `"last"`)
		for range 2 {
			if _, err := c.Receive(t.Context()); !hasCode(4401)(err) || !errors.Is(err, net.ErrClosed) {
				t.Errorf("receive: got %v, want 4401", err)
			}
		}
	})
}

func TestReceiveEndsWithItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		c := n.dialled()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("receive: got %v", err)
		}
		n.say(websocket.MessageText, `[1,"later"]`)
		wantReceived(t, c, `"later"`)
	})
}

func TestSeveralReceiversShareTheMessages(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		c := n.dialled()
		got := make(chan string, 100)
		for range 4 {
			go func() {
				for {
					m, err := c.Receive(context.Background())
					if err != nil {
						return
					}
					got <- string(m.Data)
				}
			}()
		}
		for i := range 20 {
			n.say(websocket.MessageText, fmt.Sprintf(`[%d,%d]`, i+1, i+1))
		}
		seen := make(map[string]bool)
		for range 20 {
			seen[<-got] = true
		}
		if len(seen) != 20 {
			t.Errorf("received: got %v, want 20 messages once each", seen)
		}
		_ = c.Close()
	})
}

// A server that has stopped reading must not keep the program from ending, whatever the client is at.
func TestCloseWaitsASecondAtMost(t *testing.T) {
	welcome := welcomeText(clientID, false, 0, `{"":["e1",0]}`)
	for _, c := range []struct {
		name   string
		frames []string // that the server sends before it stops
	}{
		{"before the hello", nil},
		{"open", []string{welcome}},
		{"at a hole", []string{welcome, `[9,1]`}},
		{"at a bye", []string{welcome, `{"t":"bye","after":[1,1]}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				gone := make(chan struct{})
				defer close(gone)
				n.handler = stopping(c.frames, gone)
				conn := n.dialling()
				synctest.Wait()
				n.answer(true)
				time.Sleep(time.Millisecond)
				synctest.Wait()
				start := time.Now()
				_ = conn.Close()
				if took := time.Since(start); took > time.Second {
					t.Errorf("close took %v, want a second at most", took)
				}
			})
		})
	}
}

// Nor must such a server keep the client from coming back.
func TestComebackWaitsASecondAtMost(t *testing.T) {
	welcome := welcomeText(clientID, false, 0, `{"":["e1",0]}`)
	for _, c := range []struct {
		name, frame string
		sends       bool // the client is in the middle of a write
	}{
		{"a hole", `[9,1]`, false},
		{"a hole while writing", `[9,1]`, true},
		{"a bye", `{"t":"bye","after":[1,1]}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				gone := make(chan struct{})
				defer close(gone)
				n.handler = stopping([]string{welcome, c.frame}, gone)
				conn := n.dialling()
				if c.sends {
					go func() { _ = conn.Send(context.Background(), []byte(`1`)) }()
				}
				synctest.Wait()
				n.answer(true)
				time.Sleep(1500 * time.Millisecond)
				synctest.Wait()
				if n.tries != 2 {
					t.Errorf("connections after a second and the wait: got %d, want 2", n.tries)
				}
			})
		})
	}
}

// stopping is a server that answers a hello with frames, and then neither reads nor writes.
func stopping(frames []string, gone <-chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"live.1"}})
		if err != nil {
			return
		}
		defer ws.CloseNow()
		if len(frames) > 0 {
			_, _, _ = ws.Read(context.Background())
		}
		for _, frame := range frames {
			_ = ws.Write(context.Background(), websocket.MessageText, []byte(frame))
		}
		<-gone
	}
}

func TestCloseByManyAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		c := n.dialled()
		for range 4 {
			go func() {
				_ = c.Close()
				if err := c.Send(context.Background(), []byte(`1`)); !hasCode(1000)(err) {
					t.Errorf("send: got %v, want 1000", err)
				}
			}()
		}
		n.wantFrame(`{"t":"end"}`)
	})
}
