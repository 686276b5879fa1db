package live_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lazysession/session/live"
)

func TestCloseDuringHello(t *testing.T) {
	site, l := newBrokenSite(t, echo, nil)
	silent := site.dial(site.login("ada"))
	entering := site.dial(site.login("bob"))
	taking, goOn := make(chan struct{}), make(chan struct{})
	l.on("Take", func() error { close(taking); <-goOn; return nil })
	entering.send(hello)
	<-taking
	closed := make(chan struct{})
	go func() { site.hub.Close(); close(closed) }()
	silent.wantClose(1012)
	close(goOn)
	entering.wantClose(1012)
	ends(t, "Close", func() { <-closed })
}

func TestSessionEndsDuringHello(t *testing.T) {
	site, l := newBrokenSite(t, echo, nil)
	cookie := site.login("ada")
	c := site.dial(cookie)
	taking, goOn := make(chan struct{}), make(chan struct{})
	l.on("Take", func() error { close(taking); <-goOn; return nil })
	c.send(hello)
	<-taking
	site.get("/logout", cookie)
	close(goOn)
	c.wantClose(live.StatusSessionEnded)
	eventually(t, "nothing of the socket is left", func() bool { return site.hub.Held() == 0 })
	ends(t, "Close", func() { site.hub.Close() })
}

func TestLogFailsWhileResuming(t *testing.T) {
	e := echo
	e.Open = func(ctx context.Context, s *live.Socket) error {
		_, err := s.Hub().Channel("room", nil).Join(ctx, s, "")
		return err
	}
	site, l := newBrokenSite(t, e, nil)
	cookie := site.login("ada")
	c, w := site.open(cookie, hello)
	c.receive() // the join
	c.cut()
	eventually(t, "nothing of the socket is left", func() bool { return site.hub.Held() == 0 })
	l.breaks("Channel")
	c = site.dial(cookie)
	c.send(w.again())
	c.wantClose(1013)
	eventually(t, "nothing of the failed try is left", func() bool { return site.hub.Held() == 0 })
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

func TestDownwardLimits(t *testing.T) {
	for what, cfg := range map[string]live.Config{
		"MaxDown":      {MaxDown: 3},
		"MaxDownBytes": {MaxDownBytes: 300},
	} {
		t.Run(what, func(t *testing.T) {
			site := newSite(t, echo, &cfg)
			c, w := site.open(site.login("ada"), hello)
			id, _ := live.ParseID(w.ID)
			data := []byte(`"` + strings.Repeat("x", 98) + `"`)
			for range 10 {
				if err := site.hub.Send(t.Context(), id, data); err != nil {
					t.Fatal(err)
				}
			}
			for n := 1; n <= 10; n++ {
				c.want(fmt.Sprintf("[%d,%s]", n, data))
				if n%3 != 0 {
					continue
				}
				if got := site.hub.Unacked(id); got > 3 {
					t.Fatalf("%d messages are on their way, want 3 at most", got)
				}
				c.send(fmt.Sprintf(`{"t":"ack","at":{"":%d,"unknown":7,"room":99999}}`, n))
			}
		})
	}
}
