package live_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/slot"
	"github.com/lazysession/session/store/mem"
)

func TestSendFromElsewhere(t *testing.T) {
	s, l := mem.New(nil), memlog.New(nil)
	defer s.Close()
	defer l.Close(context.Background(), false)
	a, b := newNode(t, s, l, echo, nil), newNode(t, s, l, echo, nil)
	c, w := a.open(a.login("ada"), hello)
	id, err := live.ParseID(w.ID)
	if err != nil {
		t.Fatal(err)
	}
	for n, hub := range []*live.Hub{a.hub, b.hub} {
		if err := hub.Send(t.Context(), id, []byte(`{"note":1}`)); err != nil {
			t.Fatal(err)
		}
		c.want(fmt.Sprintf(`[%d,{"note":1}]`, n+1))
	}
	if err := a.hub.Send(t.Context(), id, []byte(`no JSON`)); err == nil {
		t.Error("no error for a message that is no JSON")
	}
}

func TestDisconnectFromAnotherNode(t *testing.T) {
	s, l := mem.New(nil), memlog.New(nil)
	defer s.Close()
	defer l.Close(context.Background(), false)
	left := make(chan live.Reason, 1)
	e := echo
	e.Leave = func(_ context.Context, _ *live.Socket, why live.Reason) { left <- why }
	a, b := newNode(t, s, l, e, nil), newNode(t, s, l, e, nil)
	cookie := a.login("ada")
	c, w := a.open(cookie, hello)
	id, _ := live.ParseID(w.ID)
	if err := b.hub.Disconnect(t.Context(), id, 1012, "move on"); err != nil {
		t.Fatal(err)
	}
	c.wantClose(1012)
	c, again := b.open(cookie, w.again())
	if !again.Resumed {
		t.Errorf("welcome %+v", again)
	}
	if err := a.hub.Disconnect(t.Context(), id, live.StatusRefused, "out"); err != nil {
		t.Fatal(err)
	}
	c.wantClose(live.StatusRefused)
	if why := <-left; why != live.Closed {
		t.Errorf("left for %q", why)
	}
	if _, w := a.open(cookie, w.again()); w.Resumed {
		t.Errorf("welcome %+v after a final code", w)
	}
	if err := a.hub.Disconnect(t.Context(), id, live.StatusRefused, "out"); err != nil {
		t.Errorf("a socket that isn't there: %v", err)
	}
	for code, reason := range map[live.StatusCode]string{999: "", 1005: "", 5000: "", 1000: strings.Repeat("x", 124)} {
		if err := a.hub.Disconnect(t.Context(), id, code, reason); err == nil {
			t.Errorf("no error for code %d with a reason of %d bytes", code, len(reason))
		}
	}
}

func TestSocketsAreListedFarmWide(t *testing.T) {
	s, l := mem.New(nil), memlog.New(nil)
	defer s.Close()
	defer l.Close(context.Background(), false)
	a, b := newNode(t, s, l, echo, &live.Config{Node: "a"}), newNode(t, s, l, echo, &live.Config{Node: "b"})
	c, w := a.open(a.login("ada"), hello)
	b.open(b.login("bob"), hello)
	c.send(`[1,1]`)
	c.want(`{"t":"ack","in":1}`)
	found := map[string]live.Info{}
	for info, err := range b.hub.Sockets(t.Context(), live.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		found[info.Owner] = info
	}
	if len(found) != 2 || found["ada"].Node != "a" || found["bob"].Node != "b" || found["ada"].In != 1 ||
		found["ada"].Out != 1 || found["ada"].ID.String() != w.ID || found["ada"].Away {
		t.Errorf("got %+v", found)
	}
	n := 0
	for range b.hub.Sockets(t.Context(), live.Filter{Owner: "bob"}) {
		n++
	}
	if n != 1 {
		t.Errorf("%d sockets of bob", n)
	}
}

func TestDrainAsksClientsToComeBack(t *testing.T) {
	s, l := mem.New(nil), memlog.New(nil)
	defer s.Close()
	defer l.Close(context.Background(), false)
	a, b := newNode(t, s, l, echo, nil), newNode(t, s, l, echo, nil)
	cookie := a.login("ada")
	c, w := a.open(cookie, hello)
	drained := make(chan error)
	go func() { drained <- a.hub.Drain(context.Background(), time.Minute) }()
	c.want(`{"t":"bye","after":[0,60000]}`)
	if _, again := b.open(cookie, w.again()); !again.Resumed {
		t.Errorf("welcome %+v", again)
	}
	c.wantClose(live.StatusTakenOver)
	if err := <-drained; err != nil {
		t.Error(err)
	}
	_, resp, err := websocket.Dial(t.Context(), a.url+"/live", nil)
	if err == nil || resp.StatusCode != 503 {
		t.Errorf("a new connection while draining: %v", err)
	}
}

func TestNotBackInTime(t *testing.T) {
	left := make(chan live.Reason, 1)
	e := echo
	e.Leave = func(ctx context.Context, s *live.Socket, why live.Reason) {
		if _, err := s.Session().Exists(); err == nil {
			t.Error("a socket without its client has a session")
		}
		left <- why
	}
	site := newSite(t, e, &live.Config{Window: 100 * time.Millisecond})
	cookie := site.login("ada")
	c, w := site.open(cookie, hello)
	c.cut()
	if why := <-left; why != live.NotBack {
		t.Errorf("left for %q", why)
	}
	if _, again := site.open(cookie, w.again()); again.Resumed {
		t.Errorf("welcome %+v", again)
	}
}

func TestOpenRefuses(t *testing.T) {
	site := newSite(t, live.Endpoint{
		Open: func(ctx context.Context, s *live.Socket) error {
			if who, _ := name.Get(ctx); who == "eve" {
				return live.Refuse("banned", "go away")
			}
			return fmt.Errorf("secret")
		},
	}, nil)
	c := site.dial(site.login("eve"))
	c.send(hello)
	c.wantClose(live.StatusRefused)
	c = site.dial(site.login("ada"))
	c.send(hello)
	c.wantClose(1011)
}

// A socket that can't join what its Open wants to join is told so, and need not come back.
func TestOpenFindsNoPlace(t *testing.T) {
	var hub *live.Hub
	e := live.Endpoint{Open: func(ctx context.Context, s *live.Socket) error {
		seat, _ := name.Get(ctx)
		_, err := hub.Channel("pair", &live.Rules{Seats: []string{"left", "right"}, Capacity: 1}).Join(ctx, s, seat)
		return err
	}}
	site := newSite(t, e, nil)
	hub = site.hub
	site.open(site.login("left"), hello)
	eventually(t, "the first is in", func() bool {
		members, err := hub.Channel("pair", nil).Members(t.Context())
		return err == nil && len(members) == 1
	})
	for seat, reason := range map[string]string{"left": "the seat is taken", "right": "the channel is full"} {
		c := site.dial(site.login(seat))
		c.send(hello)
		if got := c.wantClose(live.StatusSeatTaken); got != reason {
			t.Errorf("%s: got reason %q, want %q", seat, got, reason)
		}
	}
}

func TestBeatAndSilence(t *testing.T) {
	site := newSite(t, echo, &live.Config{Beat: time.Second})
	quiet, _ := site.open(site.login("ada"), hello)
	lively, _ := site.open(site.login("bob"), hello)
	beat, done := make(chan struct{}, 100), make(chan struct{})
	go func() {
		defer close(done)
		for {
			_, text, err := lively.ws.Read(context.Background())
			if err != nil {
				return
			}
			if string(text) == `{"t":"beat"}` {
				lively.ws.Write(context.Background(), 1, text)
				beat <- struct{}{}
			}
		}
	}()
	quiet.wantClose(1001)
	select {
	case <-beat:
	case <-done:
		t.Fatal("the one that answers beats was closed without having got any")
	}
	if err := lively.ws.Write(t.Context(), 1, []byte(`[1,1]`)); err != nil {
		t.Errorf("the one that answers beats was closed: %v", err)
	}
	lively.cut()
	<-done
}

func TestSlots(t *testing.T) {
	released := make(chan string, 1)
	var table slot.Table
	note, err := slot.New(&table, "note", slot.Hooks[string]{
		OnRelease: func(_ context.Context, text *string) { released <- *text },
	})
	if err != nil {
		t.Fatal(err)
	}
	site := newSite(t, live.Endpoint{
		Open: func(ctx context.Context, s *live.Socket) error { return note.Set(s, new("kept")) },
		Message: func(ctx context.Context, s *live.Socket, m live.Message) error {
			text, err := note.Get(s)
			if err != nil {
				return err
			}
			return s.Send(ctx, fmt.Appendf(nil, "%q", *text))
		},
	}, &live.Config{Slots: &table})
	c, _ := site.open(site.login("ada"), hello)
	c.send(`[1,1]`)
	c.want(`{"t":"ack","in":1}`, `[1,"kept"]`)
	c.cut()
	if got := <-released; got != "kept" {
		t.Errorf("released %q", got)
	}
}

func TestConfigMistakesAreToldAtOnce(t *testing.T) {
	s := mem.New(nil)
	defer s.Close()
	site := newSite(t, echo, nil)
	_, err := live.New(site.m, site.log, &live.Config{
		MaxUp: -1, Beat: 1500 * time.Millisecond, Origins: []string{"https://a.example/", "ftp://b.example", "null"},
	})
	for _, want := range []string{"MaxUp -1", "Beat 1.5s", `"https://a.example/"`, `"ftp://b.example"`, `"null"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %s", err, want)
		}
	}
	if _, err := live.New(nil, nil, nil); err == nil {
		t.Error("no error without a manager and a log")
	}
}

// A log that fails at once leaves nothing behind: TestMain finds goroutines that were left.
func TestNewOnALogThatFails(t *testing.T) {
	site, l := newHookedSite(t, echo, nil)
	l.hook(func() { l.onTake = func(*stream.Claim) error { return errLog } })
	if _, err := live.New(site.m, l, nil); !errors.Is(err, errLog) {
		t.Errorf("got %v, want the log's error", err)
	}
}

func TestCloseOfASocketThatDidNotComeBack(t *testing.T) {
	errs := make(chan error, 1)
	site := newSite(t, live.Endpoint{Leave: func(_ context.Context, s *live.Socket, _ live.Reason) {
		errs <- s.Close(1000, "gone")
	}}, &live.Config{Window: time.Millisecond})
	c, _ := site.open(site.login("ada"), hello)
	c.cut()
	if err := <-errs; err == nil {
		t.Error("no error of Close where there is no connection")
	}
}
