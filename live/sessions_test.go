package live_test

import (
	"context"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

func TestLogoutClosesTheSockets(t *testing.T) {
	left := make(chan live.Reason, 2)
	e := echo
	e.Leave = func(_ context.Context, _ *live.Socket, why live.Reason) { left <- why }
	site := newSite(t, e, nil)
	cookie := site.login("ada")
	first, w := site.open(cookie, hello)
	second, _ := site.open(cookie, hello)
	other, _ := site.open(site.login("bob"), hello)
	site.get("/logout", cookie)
	first.wantClose(live.StatusSessionEnded)
	second.wantClose(live.StatusSessionEnded)
	for range 2 {
		if why := <-left; why != live.SessionEnded {
			t.Errorf("left for %q", why)
		}
	}
	site.dialAndHello(cookie, w.again()).wantClose(live.StatusSessionEnded)
	other.send(`[1,1]`)
	other.want(`{"t":"ack","in":1}`, `[1,{"from":"bob","echo":1}]`)
}

func (s *site) dialAndHello(cookie, hello string) *client {
	c := s.dial(cookie)
	c.ws.Write(context.Background(), 1, []byte(hello)) // the connection may be closed already
	return c
}

func TestLogoutOnAnotherNodeClosesTheSockets(t *testing.T) {
	s, l := mem.New(nil), memlog.New(nil)
	defer s.Close()
	defer l.Close(context.Background(), false)
	a, b := newNode(t, s, l, echo, nil), newNode(t, s, l, echo, nil)
	cookie := a.login("ada")
	c, _ := a.open(cookie, hello)
	b.get("/logout", cookie)
	c.wantClose(live.StatusSessionEnded)
}

func TestRenewSendsTheClientForTheNewCookie(t *testing.T) {
	site := newSite(t, echo, nil)
	cookie := site.login("ada")
	c, w := site.open(cookie, hello)
	renewed := site.get("/renew", cookie)
	c.wantClose(live.StatusRenewed)
	site.dialAndHello(cookie, w.again()).wantClose(live.StatusSessionEnded)
	_, again := site.open(renewed, w.again())
	if !again.Resumed || again.ID != w.ID {
		t.Errorf("welcome %+v with the new cookie", again)
	}
}

// The store may sweep expired sessions late or never, so the hub has a deadline of its own.
func TestExpiryClosesTheSockets(t *testing.T) {
	swept := mem.New(nil)
	defer swept.Close()
	t.Run("of a store that sweeps", func(t *testing.T) { testExpiry(t, swept) })
	unswept := mem.New(nil)
	defer unswept.Close()
	t.Run("of a store that doesn't", func(t *testing.T) {
		testExpiry(t, struct { // without store.Sweeper
			store.Store
			store.Watcher
		}{unswept, unswept})
	})
}

func testExpiry(t *testing.T, sessions store.Store) {
	left := make(chan live.Reason, 1)
	e := echo
	e.Leave = func(_ context.Context, _ *live.Socket, why live.Reason) { left <- why }
	l := memlog.New(nil)
	t.Cleanup(func() { l.Close(context.Background(), false) })
	site := newNode(t, sessions, l, e, nil)
	s, err := site.m.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetIdleTimeout(300 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	token, err := s.Token()
	if err != nil {
		t.Fatal(err)
	}
	c, _ := site.open("session="+token, hello)
	c.wantClose(live.StatusSessionEnded)
	if why := <-left; why != live.SessionExpired {
		t.Errorf("left for %q", why)
	}
}

// An open tab alone doesn't keep its session; what the client sends does.
func TestMessagesCountAsUse(t *testing.T) {
	site := newSite(t, echo, nil)
	cookie := site.login("ada")
	c, _ := site.open(cookie, hello)
	info := func() session.Info {
		for info, err := range site.m.Sessions(t.Context(), session.Filter{Owner: "ada"}) {
			if err != nil {
				t.Fatal(err)
			}
			return info
		}
		t.Fatal("no session")
		return session.Info{}
	}
	before := info()
	c.send(`[1,1]`)
	c.want(`{"t":"ack","in":1}`, `[1,{"from":"ada","echo":1}]`)
	if after := info(); !after.LastSeen.Equal(before.LastSeen) {
		t.Errorf("a message moved last-seen from %v to %v, long before a tenth of the idle timeout",
			before.LastSeen, after.LastSeen)
	}
}
