package live_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/stream"
)

func TestRefusedAfterTheUpgrade(t *testing.T) {
	site := newSite(t, echo, &live.Config{Origins: []string{"https://other.example"}})
	cookie := site.login("ada")
	ended := site.login("bob")
	site.get("/logout", ended)
	for _, c := range []struct {
		what   string
		header http.Header
		code   live.StatusCode
	}{
		{"another site's page", http.Header{"Cookie": {cookie}, "Origin": {"https://evil.example"}}, live.StatusRefused},
		{"a page without an origin of its own", http.Header{"Cookie": {cookie}, "Origin": {"null"}}, live.StatusRefused},
		{"a cookie without an origin", http.Header{"Cookie": {cookie}}, live.StatusRefused},
		{"two origins", http.Header{"Cookie": {cookie}, "Origin": {site.url, "https://evil.example"}}, live.StatusRefused},
		{"no session", http.Header{"Origin": {site.url}}, live.StatusSessionEnded},
		{"neither cookie nor origin", http.Header{}, live.StatusSessionEnded},
		{"an ended session", http.Header{"Cookie": {ended}, "Origin": {site.url}}, live.StatusSessionEnded},
		{"a forged cookie", http.Header{"Cookie": {"session=forged"}, "Origin": {site.url}}, live.StatusSessionEnded},
	} {
		t.Run(c.what, func(t *testing.T) {
			site.t = t
			site.dialWith(c.header).wantClose(c.code)
		})
	}
	site.t = t
	other := site.dialWith(http.Header{"Cookie": {cookie}, "Origin": {"https://other.example"}})
	other.send(hello)
	if text := other.receive(); !strings.Contains(text, "welcome") {
		t.Fatalf("an origin of Config.Origins got %s", text)
	}
}

func TestSubprotocolIsNeeded(t *testing.T) {
	site := newSite(t, echo, nil)
	ws, _, err := websocket.Dial(t.Context(), site.url+"/live", &websocket.DialOptions{
		HTTPHeader: http.Header{"Cookie": {site.login("ada")}, "Origin": {site.url}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, ws: ws}
	defer c.cut()
	c.wantClose(live.StatusProtocol)
}

func TestPlainRequestIsAnswered(t *testing.T) {
	site := newSite(t, echo, nil)
	resp, err := http.Get(site.url + "/live")
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	resp.Body.Close()
	if resp.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("status %d, want 426", resp.StatusCode)
	}
}

func TestFramesThatBreakTheProtocol(t *testing.T) {
	site := newSite(t, echo, &live.Config{MaxMessage: 1000})
	for _, c := range []struct {
		what   string
		frames []string
		code   live.StatusCode
	}{
		{"a message before hello", []string{`[1,1]`}, live.StatusProtocol},
		{"an ack before hello", []string{`{"t":"ack","at":{"":1}}`}, live.StatusProtocol},
		{"hello twice", []string{hello, hello}, live.StatusProtocol},
		{"half a frame", []string{hello, `[1,"x"`}, live.StatusProtocol},
		{"nothing", []string{hello, ``}, live.StatusProtocol},
		{"no JSON", []string{hello, `hi`}, live.StatusProtocol},
		{"null", []string{hello, `null`}, live.StatusProtocol},
		{"unknown frame", []string{hello, `{"t":"dance"}`}, live.StatusProtocol},
		{"t of a wrong type", []string{hello, `{"t":1}`}, live.StatusProtocol},
		{"number 0", []string{hello, `[0,1]`}, live.StatusProtocol},
		{"a number below 0", []string{hello, `[-1,1]`}, live.StatusProtocol},
		{"a number with a fraction", []string{hello, `[1.0,1]`}, live.StatusProtocol},
		{"a number as text", []string{hello, `["1",1]`}, live.StatusProtocol},
		{"a number that is too large", []string{hello, `[18446744073709551617,1]`}, live.StatusProtocol},
		{"a number with a zero before", []string{hello, `[01,1]`}, live.StatusProtocol},
		{"a message without data", []string{hello, `[1]`}, live.StatusProtocol},
		{"a message with empty data", []string{hello, `[1,]`}, live.StatusProtocol},
		{"a message of three parts", []string{hello, `[1,2,3]`}, live.StatusProtocol},
		{"a number left out", []string{hello, `[2,1]`}, live.StatusProtocol},
		{"hello with a wrong id", []string{`{"t":"hello","id":"zz"}`}, live.StatusProtocol},
		{"hello with a wrong position", []string{`{"t":"hello","at":{"":[1,2]}}`}, live.StatusProtocol},
		{"hello with a number as position", []string{`{"t":"hello","at":{"":5}}`}, live.StatusProtocol},
		{"ack of a position", []string{hello, `{"t":"ack","at":{"":["e",1]}}`}, live.StatusProtocol},
		{"ack without at", []string{hello, `{"t":"ack"}`}, live.StatusProtocol},
		{"ack below 0", []string{hello, `{"t":"ack","at":{"":-1}}`}, live.StatusProtocol},
		{"too large", []string{hello, `[1,"` + strings.Repeat("x", 1000+16<<10) + `"]`}, 1009},
		{"no UTF-8", []string{hello, "[1,\"\xff\"]"}, 1007},
	} {
		t.Run(c.what, func(t *testing.T) {
			site.t = t
			client := site.dial(site.login("ada"))
			for _, frame := range c.frames {
				client.send(frame)
			}
			client.wantClose(c.code)
		})
	}
}

func TestBinaryMessageIsRefused(t *testing.T) {
	site := newSite(t, echo, nil)
	c, _ := site.open(site.login("ada"), hello)
	if err := c.ws.Write(t.Context(), websocket.MessageBinary, []byte(`[1,1]`)); err != nil {
		t.Fatal(err)
	}
	c.wantClose(live.StatusProtocol)
}

// A message of more than MaxMessage bytes is refused exactly, also within what the envelope of a frame may have.
func TestMaxMessageIsExact(t *testing.T) {
	site := newSite(t, echo, &live.Config{MaxMessage: 10})
	c, _ := site.open(site.login("ada"), hello)
	c.send(`[1,"12345678"]`)
	c.want(`{"t":"ack","in":1}`, `[1,{"from":"ada","echo":"12345678"}]`)
	c.send(`[2,"123456789"]`)
	c.wantClose(1009)
}

func TestHelloTimeout(t *testing.T) {
	site := newSite(t, echo, &live.Config{HelloTimeout: 50 * time.Millisecond})
	site.dial(site.login("ada")).wantClose(1013)
}

func TestMaxPerSession(t *testing.T) {
	site := newSite(t, echo, &live.Config{MaxPerSession: 2})
	cookie := site.login("ada")
	first, _ := site.open(cookie, hello)
	site.open(cookie, hello)
	third := site.dial(cookie)
	third.send(hello)
	third.wantClose(live.StatusTooMuch)
	site.open(site.login("bob"), hello) // another session has its own limit
	first.cut()
	eventually(t, "a place is free again", func() bool {
		c := site.dial(cookie)
		c.send(hello)
		_, text, err := c.ws.Read(t.Context())
		return err == nil && strings.Contains(string(text), "welcome")
	})
}

func TestMaxUp(t *testing.T) {
	release := make(chan struct{})
	site := newSite(t, live.Endpoint{
		Message: func(context.Context, *live.Socket, live.Message) error { <-release; return nil },
	}, &live.Config{MaxUp: 3})
	c, _ := site.open(site.login("ada"), hello)
	for _, frame := range []string{`[1,1]`, `[2,1]`, `[3,1]`, `[4,1]`} {
		c.send(frame)
	}
	c.wantClose(live.StatusTooMuch)
	close(release)
}

func TestUnknownIDStartsAnew(t *testing.T) {
	site := newSite(t, echo, nil)
	cookie := site.login("ada")
	_, w := site.open(cookie, `{"t":"hello","id":"`+stream.NewID().String()+`","at":{"":["e1",7]}}`)
	if w.Resumed || w.At[""].Number != 0 {
		t.Errorf("welcome %+v to an unknown id", w)
	}
}

func TestStolenIDOpensNothing(t *testing.T) {
	site := newSite(t, echo, nil)
	ada, w := site.open(site.login("ada"), hello)
	_, stolen := site.open(site.login("eve"), w.again())
	if stolen.Resumed || stolen.ID == w.ID {
		t.Fatalf("welcome %+v with the id of %+v", stolen, w)
	}
	ada.send(`[1,"still here"]`)
	ada.want(`{"t":"ack","in":1}`, `[1,{"from":"ada","echo":"still here"}]`)
}

func TestNewestConnectionOfASocketWins(t *testing.T) {
	site := newSite(t, echo, nil)
	cookie := site.login("ada")
	older, w := site.open(cookie, hello)
	newer, again := site.open(cookie, w.again())
	if !again.Resumed {
		t.Fatalf("welcome %+v", again)
	}
	older.wantClose(live.StatusTakenOver)
	newer.send(`[1,1]`)
	newer.want(`{"t":"ack","in":1}`, `[1,{"from":"ada","echo":1}]`)
}

func TestPositionFromTheFuture(t *testing.T) {
	site := newSite(t, echo, nil)
	cookie := site.login("ada")
	c, w := site.open(cookie, hello)
	c.cut()
	c, again := site.open(cookie, w.again(stream.Position{Epoch: w.At[""].Epoch, Number: 100}))
	if !again.Resumed {
		t.Fatalf("welcome %+v", again)
	}
	var gap struct {
		T, S, Why string
		At        stream.Position
	}
	c.receiveInto(&gap)
	if gap.T != "gap" || gap.Why != "reset" || gap.At.Epoch == w.At[""].Epoch || gap.At.Number != 0 {
		t.Errorf("got %+v, want a gap with another epoch", gap)
	}
}
