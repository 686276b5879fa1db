package live_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store/mem"
)

// A Leave that takes long keeps no other socket from its beats.
func TestSlowLeaveStopsNothingElse(t *testing.T) {
	leaving, goOn := make(chan struct{}), make(chan struct{})
	site := newSite(t, live.Endpoint{Leave: func(context.Context, *live.Socket, live.Reason) {
		close(leaving)
		<-goOn
	}}, &live.Config{Window: time.Millisecond, Beat: time.Second})
	c, _ := site.open(site.login("ada"), hello)
	c.cut()
	<-leaving
	other, _ := site.open(site.login("bob"), hello)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, text, err := other.ws.Read(ctx); err != nil || string(text) != `{"t":"beat"}` {
		t.Errorf("got %s, error %v, want a beat", text, err)
	}
	close(goOn)
}

// Orders that a node has missed keep it from none of those that follow.
func TestMailboxGoesOnBehindAGap(t *testing.T) {
	l, s := newHooked(t), mem.New(nil)
	t.Cleanup(func() { s.Close() })
	site := newNode(t, s, l, echo, &live.Config{Node: "a"})
	boss := newNode(t, s, l, echo, &live.Config{Node: "b"})
	c, w := site.open(site.login("ada"), hello)
	fails := once()
	l.hook(func() {
		l.onRead = func(s stream.Name, at stream.Position) error {
			if id, ok := s.Socket(); ok && id.String() != w.ID && fails() != nil {
				return &stream.GapError{Stream: s, Why: stream.Old, At: stream.Position{Epoch: at.Epoch, Number: at.Number}}
			}
			return nil
		}
	})
	id, _ := live.ParseID(w.ID)
	if err := boss.hub.Disconnect(t.Context(), id, 1012, "move on"); err != nil {
		t.Fatal(err)
	}
	c.wantClose(1012)
}

// A socket that is away can be sent away for good.
func TestDisconnectOfASocketThatIsAway(t *testing.T) {
	left := make(chan live.Reason, 1)
	e := echo
	e.Leave = func(_ context.Context, _ *live.Socket, why live.Reason) { left <- why }
	site := newSite(t, e, nil)
	cookie := site.login("ada")
	c, w := site.open(cookie, hello)
	c.cut()
	id, _ := live.ParseID(w.ID)
	eventually(t, "the socket is away", func() bool {
		for info := range site.hub.Sockets(t.Context(), live.Filter{}) {
			return info.Away
		}
		return false
	})
	if err := site.hub.Disconnect(t.Context(), id, live.StatusRefused, "out"); err != nil {
		t.Fatal(err)
	}
	if _, again := site.open(cookie, w.again()); again.Resumed {
		t.Errorf("welcome %+v after a final code", again)
	}
	if why := <-left; why != live.Closed {
		t.Errorf("left for %q", why)
	}
}

// What a handler has done is not committed once its session has ended.
func TestNothingIsCommittedAfterLogout(t *testing.T) {
	handling, goOn := make(chan struct{}), make(chan struct{})
	var s *site
	var to live.ID
	s = newSite(t, live.Endpoint{Message: live.On(func(ctx context.Context, _ *live.Socket, what string) error {
		if what == "wait" {
			close(handling)
			<-goOn
		}
		return s.hub.Send(ctx, to, []byte(`"`+what+`"`))
	})}, nil)
	cookie := s.login("ada")
	ada, _ := s.open(cookie, hello)
	bob, w := s.open(s.login("bob"), hello)
	to, _ = live.ParseID(w.ID)
	ada.send(`[1,"wait"]`)
	<-handling
	s.get("/logout", cookie)
	ada.wantClose(live.StatusSessionEnded)
	close(goOn)
	eventually(t, "the socket is gone", func() bool {
		for info := range s.hub.Sockets(t.Context(), live.Filter{Owner: "ada"}) {
			return info.ID == live.ID{}
		}
		return true
	})
	bob.send(`[1,"after"]`)
	bob.want(`{"t":"ack","in":1}`, `[1,"after"]`)
}

// A channel's state can't be used by a Do within its Do: the outer one would not see what the inner one changes.
func TestDoWithinDo(t *testing.T) {
	site := newSite(t, echo, nil)
	news := site.hub.Channel("news", nil)
	err := news.Do(t.Context(), func(ctx context.Context) error {
		return news.Do(ctx, func(context.Context) error { return fmt.Errorf("not reached") })
	})
	if err == nil || !strings.Contains(err.Error(), "within") {
		t.Errorf("got error %v, want one that tells of it", err)
	}
}
