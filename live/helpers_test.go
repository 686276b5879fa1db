package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var name = session.NewKey[string]("name")

// A site is one node: a server with sessions and live sockets.
type site struct {
	t     *testing.T
	m     *session.Manager
	hub   *live.Hub
	url   string
	log   stream.Log
	store store.Store

	handler http.Handler // of the server
}

// newSite returns a site whose sockets are served by e, with a log and a store of its own.
func newSite(t *testing.T, e live.Endpoint, cfg *live.Config) *site {
	t.Helper()
	l := memlog.New(nil)
	t.Cleanup(func() { l.Close(context.Background(), false) })
	s := mem.New(nil)
	t.Cleanup(func() { s.Close() })
	return newNode(t, s, l, e, cfg)
}

// newNode returns a site on a log and a store that others use, too.
func newNode(t *testing.T, s store.Store, l stream.Log, e live.Endpoint, cfg *live.Config) *site {
	t.Helper()
	m, err := session.New(s, &session.Config{
		Keys:   [][]byte{[]byte("the tests' signing key of 32 bytes")},
		Cookie: session.Cookie{Name: "session", Secure: session.InsecureForDevelopment},
	})
	if err != nil {
		t.Fatal(err)
	}
	hub, err := live.New(m, l, cfg)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		name.Set(r.Context(), r.FormValue("name"))
		session.FromContext(r.Context()).SetOwner(r.FormValue("name"))
	})
	mux.HandleFunc("/renew", func(w http.ResponseWriter, r *http.Request) { session.FromContext(r.Context()).Renew() })
	mux.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) { session.FromContext(r.Context()).End() })
	mux.Handle("/live", hub.Handler(e))
	handler := m.Handler(mux)
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		hub.Close()
		server.Close()
		m.Close()
	})
	return &site{t: t, m: m, hub: hub, url: server.URL, log: l, store: s, handler: handler}
}

// login returns the cookie of a new session.
func (s *site) login(name string) string {
	s.t.Helper()
	return s.get("/login?name="+name, "")
}

// get requests a page and returns the cookie that it sets, or the one that was sent.
func (s *site) get(path, cookie string) string {
	s.t.Helper()
	r, _ := http.NewRequest("GET", s.url+path, nil)
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: status %d", path, resp.StatusCode)
	}
	for _, c := range resp.Cookies() {
		return c.Name + "=" + c.Value
	}
	return cookie
}

// A client is a raw client of the protocol.
type client struct {
	t  *testing.T
	ws *websocket.Conn

	once sync.Once
}

// dial opens a connection.
func (s *site) dial(cookie string) *client {
	s.t.Helper()
	return s.dialWith(http.Header{"Cookie": {cookie}, "Origin": {s.url}})
}

func (s *site) dialWith(header http.Header) *client {
	s.t.Helper()
	ws, _, err := websocket.Dial(s.t.Context(), s.url+"/live", &websocket.DialOptions{
		HTTPHeader: header, Subprotocols: []string{"live.1"}, HTTPClient: http.DefaultClient,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ws.SetReadLimit(1 << 20)
	c := &client{t: s.t, ws: ws}
	s.t.Cleanup(c.cut)
	return c
}

// open dials, says hello and returns the welcome.
func (s *site) open(cookie, hello string) (*client, welcome) {
	s.t.Helper()
	c := s.dial(cookie)
	c.send(hello)
	var w welcome
	c.receiveInto(&w)
	if w.T != "welcome" {
		s.t.Fatalf("got %+v, want a welcome", w)
	}
	return c, w
}

const hello = `{"t":"hello"}`

type welcome struct {
	T       string
	ID      string
	Resumed bool
	In      uint64
	At      map[string]stream.Position
	Win     int
	Max     int
	Beat    int
}

// again returns the hello of the client that comes back.
func (w welcome) again(at ...stream.Position) string {
	position := w.At[""]
	if len(at) > 0 {
		position = at[0]
	}
	text, _ := json.Marshal(map[string]any{"t": "hello", "id": w.ID, "at": map[string]any{"": position}})
	return string(text)
}

func (c *client) send(text string) {
	c.t.Helper()
	if err := c.ws.Write(context.Background(), websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatalf("sending %s: %v", text, err)
	}
}

// receive returns the next frame that is no beat.
func (c *client) receive() string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		_, text, err := c.ws.Read(ctx)
		if err != nil {
			c.t.Fatalf("reading: %v", err)
		}
		if string(text) != `{"t":"beat"}` {
			return string(text)
		}
	}
}

func (c *client) receiveInto(v any) {
	c.t.Helper()
	text := c.receive()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		c.t.Fatalf("%s: %v", text, err)
	}
}

// want receives frames and compares them, as JSON.
func (c *client) want(frames ...string) {
	c.t.Helper()
	for _, want := range frames {
		if got := c.receive(); !sameJSON(got, want) {
			c.t.Fatalf("got %s, want %s", got, want)
		}
	}
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// wantClose reads until the connection closes, and compares the code.
func (c *client) wantClose(code live.StatusCode) (reason string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		_, text, err := c.ws.Read(ctx)
		if err == nil {
			c.t.Logf("before the close: %s", text)
			continue
		}
		if got := websocket.CloseStatus(err); got != code {
			c.t.Fatalf("closed with %d (%v), want %d", got, err, code)
		}
		closed, _ := errors.AsType[websocket.CloseError](err)
		return closed.Reason
	}
}

// cut breaks the connection without a word.
func (c *client) cut() { c.once.Do(func() { c.ws.CloseNow() }) }

// eventually waits until f is true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// ends fails the test where f does not return.
func ends(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatalf("%s does not return", what)
	}
}
