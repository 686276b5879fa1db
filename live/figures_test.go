package live_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/store/mem"
)

func TestFigures(t *testing.T) {
	var hub *live.Hub
	e := live.Endpoint{
		Open: func(ctx context.Context, s *live.Socket) error {
			_, err := hub.Channel("room", &live.Rules{Keep: live.Retention{Messages: 3}}).Join(ctx, s, "")
			return err
		},
		Message: func(ctx context.Context, s *live.Socket, m live.Message) error {
			if string(m.Data) == `"no"` {
				return live.Refuse("no", "")
			}
			return s.Send(ctx, m.Data)
		},
	}
	l, s := memlog.New(nil), mem.New(nil)
	defer s.Close()
	defer l.Close(t.Context(), false)
	one := newNode(t, s, l, e, nil)
	hub = one.hub
	want := func(what string, want live.Figures) {
		t.Helper()
		eventually(t, fmt.Sprintf("%s: %+v", what, want), func() bool { return one.hub.Figures() == want })
	}
	want("at first", live.Figures{})
	cookie := one.login("ada")
	c, w := one.open(cookie, hello)
	c.send(`[1,"four"]`)
	c.send(`[2,"no"]`)
	// Out are the joined event, and the answer.
	event := uint64(len(`{"e":"joined","who":"","seat":""}`) - len(`,"seat":""`) + 32)
	first := live.Figures{
		Sockets: 1, Channels: 1, Entered: 1, In: 2, BytesIn: 6 + 4, Out: 2, BytesOut: event + 6,
	}
	want("after a message and a refusal", first)

	c.cut()
	eventually(t, "the socket is away", func() bool { return one.hub.Figures().Sockets == 0 })
	for range 5 { // of which three are kept
		if err := hub.Channel("room", nil).Send(t.Context(), []byte("1")); err != nil {
			t.Fatal(err)
		}
	}
	_, again := one.open(cookie, w.again())
	if !again.Resumed {
		t.Fatalf("welcome %+v", again)
	}
	eventually(t, "the gap is counted", func() bool { return one.hub.Figures().Gaps == 1 })
	if f := one.hub.Figures(); f.Entered != 2 || f.Resumed != 1 || f.Behind != 0 || f.Fenced != 0 {
		t.Errorf("after a return: %+v", f)
	}

	other := newNode(t, s, l, e, nil)
	other.open(cookie, again.again())
	eventually(t, "the socket was taken", func() bool { return one.hub.Figures().Fenced == 1 })
	if f := other.hub.Figures(); f.Entered != 1 || f.Resumed != 1 || f.Sockets != 1 {
		t.Errorf("of the other node: %+v", f)
	}
}
