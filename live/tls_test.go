package live_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/lazysession/session/live"
)

// Over TLS a connection has no descriptor that could be written to at once. It takes the other way, and says the same.
func TestSocketsOverTLS(t *testing.T) {
	site := newSite(t, echo, nil)
	server := httptest.NewTLSServer(site.handler)
	t.Cleanup(server.Close)
	cookie := site.login("ada")
	dial := func(origin string) *client {
		ws, _, err := websocket.Dial(t.Context(), server.URL+"/live", &websocket.DialOptions{
			HTTPClient: server.Client(), Subprotocols: []string{"live.1"},
			HTTPHeader: http.Header{"Cookie": {cookie}, "Origin": {origin}},
		})
		if err != nil {
			t.Fatal(err)
		}
		c := &client{t: t, ws: ws}
		t.Cleanup(c.cut)
		return c
	}
	c := dial(server.URL)
	c.send(hello)
	var w welcome
	c.receiveInto(&w)
	c.send(`[1,"one"]`)
	c.want(`{"t":"ack","in":1}`, `[1,{"from":"ada","echo":"one"}]`)
	c.cut()
	c = dial(server.URL)
	c.send(w.again())
	c.receiveInto(&w)
	if !w.Resumed || w.In != 1 {
		t.Errorf("welcome %+v", w)
	}
	c.want(`[1,{"from":"ada","echo":"one"}]`)

	dial(strings.Replace(server.URL, "https://", "http://", 1)).wantClose(live.StatusRefused)
}
