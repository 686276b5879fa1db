package live_test

import (
	"encoding/json"
	"testing"

	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/stream"
)

// A socket that leaves a channel, while what it has missed there is read, gets none of it.
func TestLeaveWhileAMissedMessageIsRead(t *testing.T) {
	site, l := newObeyingHooked(t, nil, nil)
	cookie := site.login("ada")
	c, w := site.open(cookie, hello)
	c.send(`[1,{"join":"news"}]`)
	wantAll(t, c, `{"t":"ack","in":1}`)
	id, _ := live.ParseID(w.ID)
	c.cut()
	eventually(t, "the socket is away", func() bool { return site.hub.Count() == 0 })
	other, err := l.Take(t.Context(), &stream.Claim{ID: stream.NewID(), New: true, Node: "elsewhere"})
	if err != nil {
		t.Fatal(err)
	}
	join := []stream.Op{{Kind: stream.Join, Channel: "news"}} // so that the channel outlives ada's leave
	if _, err := l.Commit(t.Context(), &stream.Batch{Lease: other.Lease(), Ops: join}); err != nil {
		t.Fatal(err)
	}
	news := site.hub.Channel("news", nil)
	if err := news.Send(t.Context(), []byte(`"missed"`)); err != nil {
		t.Fatal(err)
	}
	channel, err := l.Channel(t.Context(), "news")
	if err != nil {
		t.Fatal(err)
	}
	reading, goOn, stop := stopOnce()
	l.hook(func() {
		l.onRead = func(s stream.Name, _ stream.Position) error {
			if s == stream.Of("news") {
				stop()
			}
			return nil
		}
	})
	at := map[string]stream.Position{"": w.At[""], "news": {Epoch: channel.Top.Epoch, Number: channel.Top.Number - 1}}
	again, _ := json.Marshal(map[string]any{"t": "hello", "id": w.ID, "at": at})
	c = site.dial(cookie)
	c.send(string(again))
	<-reading
	mb, err := news.Join(t.Context(), site.hub.Socket(id), "") // where it is already
	if err != nil {
		t.Fatal(err)
	}
	if err := mb.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	c.receive() // welcome
	c.want(`{"t":"part","s":"news"}`)
}
