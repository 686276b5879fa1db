package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store/mem"
)

// echo sends back what it gets, with the name of the session's owner.
var echo = live.Endpoint{
	Message: func(ctx context.Context, s *live.Socket, m live.Message) error {
		who, err := name.Get(ctx)
		if err != nil {
			return err
		}
		return s.Send(ctx, fmt.Appendf(nil, `{"from":%q,"echo":%s}`, who, m.Data))
	},
}

func TestEcho(t *testing.T) {
	site := newSite(t, echo, nil)
	c, w := site.open(site.login("ada"), hello)
	if w.Resumed || w.In != 0 || w.Win != 64 || w.Max != 65536 || w.Beat != 25 || w.At[""].Number != 0 {
		t.Fatalf("welcome %+v", w)
	}
	c.send(`[1,"hi"]`)
	c.want(`{"t":"ack","in":1}`, `[1,{"from":"ada","echo":"hi"}]`)
	c.send(`[2,{"x":[1,2]}]`)
	c.want(`{"t":"ack","in":2}`, `[2,{"from":"ada","echo":{"x":[1,2]}}]`)
}

func TestResume(t *testing.T) {
	site := newSite(t, echo, nil)
	cookie := site.login("ada")
	c, w := site.open(cookie, hello)
	c.send(`[1,"one"]`)
	c.want(`{"t":"ack","in":1}`, `[1,{"from":"ada","echo":"one"}]`)
	c.send(`[2,"two"]`)
	c.want(`{"t":"ack","in":2}`)
	c.cut() // before the second message was read
	c, again := site.open(cookie, w.again(stream.Position{Epoch: w.At[""].Epoch, Number: 1}))
	if !again.Resumed || again.ID != w.ID || again.In != 2 {
		t.Fatalf("welcome %+v after %+v", again, w)
	}
	c.want(`[2,{"from":"ada","echo":"two"}]`)
	c.send(`[2,"two"]`) // handled before
	c.want(`{"t":"ack","in":2}`)
	c.send(`[3,"three"]`)
	c.want(`{"t":"ack","in":3}`, `[3,{"from":"ada","echo":"three"}]`)
}

func TestRefuse(t *testing.T) {
	site := newSite(t, live.Endpoint{
		Message: live.On(func(ctx context.Context, s *live.Socket, what string) error {
			if err := s.Send(ctx, []byte(`"an effect"`)); err != nil {
				return err
			}
			switch what {
			case "refuse":
				return live.Refuse("rude", "say please")
			case "fail":
				return errors.New("secret")
			case "panic":
				panic("secret")
			}
			return nil
		}),
	}, nil)
	c, _ := site.open(site.login("ada"), hello)
	c.send(`[1,"refuse"]`)
	c.want(`{"t":"no","n":1,"code":"rude","text":"say please"}`)
	c.send(`[2,"fail"]`)
	c.want(`{"t":"no","n":2,"code":"internal","text":""}`)
	c.send(`[3,"panic"]`)
	c.want(`{"t":"no","n":3,"code":"internal","text":""}`)
	c.send(`[4,17]`)
	var no struct{ Code string }
	if c.receiveInto(&no); no.Code != "type" {
		t.Fatalf("got %+v, want code type", no)
	}
	c.send(`[5,"fine"]`)
	c.want(`{"t":"ack","in":5}`, `[1,"an effect"]`)
}

// room is an endpoint whose sockets join the channel "room" on the seat that they name, and talk there.
func room(rules *live.Rules) (*live.Endpoint, func(*live.Hub)) {
	var hub *live.Hub
	return &live.Endpoint{
		Message: func(ctx context.Context, s *live.Socket, m live.Message) error {
			var said struct{ Join, Say string }
			if err := json.Unmarshal(m.Data, &said); err != nil {
				return live.Refuse("type", "")
			}
			channel := hub.Channel("room", rules)
			if said.Join != "" {
				_, err := channel.Join(ctx, s, said.Join)
				if errors.Is(err, live.ErrTaken) {
					return live.Refuse("taken", said.Join)
				}
				return err
			}
			text, _ := json.Marshal(said.Say)
			return channel.Send(ctx, text)
		},
	}, func(h *live.Hub) { hub = h }
}

func TestTwoNodesShareAChannel(t *testing.T) {
	s, l := mem.New(nil), memlog.New(nil)
	defer s.Close()
	defer l.Close(context.Background(), false)
	rules := &live.Rules{Seats: []string{"left", "right"}}
	e1, set1 := room(rules)
	a := newNode(t, s, l, *e1, &live.Config{Node: "a"})
	set1(a.hub)
	e2, set2 := room(rules)
	b := newNode(t, s, l, *e2, &live.Config{Node: "b"})
	set2(b.hub)

	ada, w1 := a.open(a.login("ada"), hello)
	ada.send(`[1,{"join":"left"}]`)
	ada.want(`{"t":"ack","in":1}`)
	var joined struct {
		T, S, Seat string
		At         stream.Position
	}
	ada.receiveInto(&joined)
	if joined.T != "join" || joined.S != "room" || joined.Seat != "left" || joined.At.Number != 0 {
		t.Fatalf("got %+v", joined)
	}
	ada.want(fmt.Sprintf(`{"t":"member","s":"room","n":1,"e":"joined","who":%q,"seat":"left"}`, w1.ID))

	bob, w2 := b.open(b.login("bob"), hello)
	bob.send(`[1,{"join":"left"}]`)
	bob.want(`{"t":"no","n":1,"code":"taken","text":"left"}`)
	bob.send(`[2,{"join":"right"}]`)
	bob.want(`{"t":"ack","in":2}`)
	bob.receiveInto(&joined)
	if joined.Seat != "right" || joined.At.Number != 1 {
		t.Fatalf("got %+v", joined)
	}
	both := []string{
		fmt.Sprintf(`{"t":"member","s":"room","n":2,"e":"joined","who":%q,"seat":"right"}`, w2.ID),
		fmt.Sprintf(`{"t":"member","s":"room","n":3,"e":"full","who":%q,"seat":"right"}`, w2.ID),
	}
	bob.want(both...)
	ada.want(both...)
	ada.send(`[2,{"say":"hello"}]`)
	ada.want(`{"t":"ack","in":2}`, `[4,"hello","room"]`)
	bob.want(`[4,"hello","room"]`)
}
