package live_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/stream"
)

// Close does not wait for connections that say nothing.
func TestCloseEndsConnectionsThatSayNothing(t *testing.T) {
	site := newSite(t, echo, &live.Config{HelloTimeout: time.Hour})
	c := site.dial(site.login("ada"))
	closed := make(chan error, 1)
	go func() { closed <- site.hub.Close() }()
	c.wantClose(1012)
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// Close and Drain reach a socket that is entering meanwhile.
func TestCloseWhileASocketEnters(t *testing.T) {
	site, l := newHookedSite(t, echo, nil)
	entering, goOn := stopAtTake(l)
	c := site.dial(site.login("ada"))
	c.send(hello)
	<-entering
	closed := make(chan error, 1)
	go func() { closed <- site.hub.Close() }()
	c.wantClose(1012)
	close(goOn)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	for s := range l.Sockets(t.Context(), stream.Filter{}) {
		if !s.Session.IsZero() && s.AwayUntil.IsZero() {
			t.Error("a socket is not away after Close")
		}
	}
}

func TestDrainWhileASocketEnters(t *testing.T) {
	site, l := newHookedSite(t, echo, nil)
	entering, goOn := stopAtTake(l)
	c := site.dial(site.login("ada"))
	c.send(hello)
	<-entering
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := site.hub.Drain(ctx, time.Minute); err == nil {
		t.Error("Drain has not waited for a socket that is entering")
	}
	close(goOn)
	c.receive() // welcome
	c.want(`{"t":"bye","after":[0,60000]}`)
}

// A session that ends while its socket enters takes the socket with it.
func TestLogoutWhileASocketEnters(t *testing.T) {
	site, l := newHookedSite(t, echo, nil)
	entering, goOn := stopAtTake(l)
	cookie := site.login("ada")
	c := site.dial(cookie)
	c.send(hello)
	<-entering
	site.get("/logout", cookie)
	c.wantClose(live.StatusSessionEnded)
	close(goOn)
	eventually(t, "the socket is gone", func() bool {
		for s := range l.Sockets(t.Context(), stream.Filter{}) {
			if !s.Session.IsZero() {
				return false
			}
		}
		return true
	})
}

// stopAtTake stops the first client that enters, before it takes its socket, until goOn is closed.
func stopAtTake(l *hookedLog) (entering, goOn chan struct{}) {
	entering, goOn, stop := stopOnce()
	l.hook(func() { l.onTake = func(*stream.Claim) error { stop(); return nil } })
	return entering, goOn
}

// stopAfterTake stops the first client that has taken its socket, until goOn is closed.
func stopAfterTake(l *hookedLog) (taken, goOn chan struct{}) {
	taken, goOn, stop := stopOnce()
	l.hook(func() { l.onTaken = func(*stream.Claim) { stop() } })
	return taken, goOn
}

// stopOnce returns a function of which the first call closes stopped and waits until goOn is closed.
func stopOnce() (stopped, goOn chan struct{}, stop func()) {
	stopped, goOn = make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	return stopped, goOn, func() {
		if first.CompareAndSwap(false, true) {
			close(stopped)
			<-goOn
		}
	}
}

// Of two connections that come back at once with one socket, the one that has taken it last stays, in whatever order
// the hub gets to know them.
func TestTheNewestOfTwoConnectionsStays(t *testing.T) {
	site, l := newHookedSite(t, echo, nil)
	cookie := site.login("ada")
	c, w := site.open(cookie, hello)
	c.cut()
	taken, goOn := stopAfterTake(l)
	old := site.dial(cookie)
	old.send(w.again())
	<-taken
	newest, _ := site.open(cookie, w.again())
	close(goOn)
	old.wantClose(live.StatusTakenOver)
	newest.send(`[1,1]`)
	newest.want(`{"t":"ack","in":1}`, `[1,{"from":"ada","echo":1}]`)
}

// A node that has taken a socket, and does not serve it yet, hears that another node has taken it since.
func TestAnotherNodeTakesASocketThatIsEntering(t *testing.T) {
	site, l := newHookedSite(t, echo, nil)
	cookie := site.login("ada")
	c, w := site.open(cookie, hello)
	c.cut()
	taken, goOn := stopAfterTake(l)
	old := site.dial(cookie)
	old.send(w.again())
	<-taken
	id, _ := live.ParseID(w.ID)
	for s, err := range l.Sockets(t.Context(), stream.Filter{ID: id}) {
		if err != nil {
			t.Fatal(err)
		}
		claim := &stream.Claim{ID: id, Session: s.Session, Endpoint: s.Endpoint, Node: "another"}
		if _, err := l.Log.Take(t.Context(), claim); err != nil {
			t.Fatal(err)
		}
	}
	close(goOn)
	old.wantClose(live.StatusTakenOver)
}

// A client may come back before the server notices that its connection broke, also where its session may have no more
// sockets.
func TestComingBackAtTheLimitOfSockets(t *testing.T) {
	site := newSite(t, echo, &live.Config{MaxPerSession: 1})
	cookie := site.login("ada")
	old, w := site.open(cookie, hello)
	_, again := site.open(cookie, w.again())
	if !again.Resumed {
		t.Errorf("welcome %+v", again)
	}
	old.wantClose(live.StatusTakenOver)
	site.dialAndHello(cookie, hello).wantClose(live.StatusTooMuch)
}

// The welcome comes before all else.
func TestWelcomeComesFirst(t *testing.T) {
	site, l := newHookedSite(t, echo, nil)
	cookie := site.login("ada")
	c, w := site.open(cookie, hello)
	c.cut()
	id, _ := live.ParseID(w.ID)
	l.hook(func() {
		l.onTaken = func(*stream.Claim) { site.hub.Send(context.Background(), id, []byte(`"early"`)) }
	})
	at := `"at":{"":["` + w.At[""].Epoch + `",0],"never joined":["x",1]}}`
	c, _ = site.open(cookie, `{"t":"hello","id":"`+w.ID+`",`+at)
	c.want(`{"t":"part","s":"never joined"}`, `[1,"early"]`)
}

func TestCloseDuringHello(t *testing.T) {
	site, l := newHookedSite(t, echo, nil)
	silent := site.dial(site.login("ada"))
	entering := site.dial(site.login("bob"))
	taken, goOn := stopAfterTake(l)
	entering.send(hello)
	<-taken
	closed := make(chan struct{})
	go func() { site.hub.Close(); close(closed) }()
	silent.wantClose(1012)
	close(goOn)
	entering.wantClose(1012)
	ends(t, "Close", func() { <-closed })
}

func TestSessionEndsDuringHello(t *testing.T) {
	site, l := newHookedSite(t, echo, nil)
	cookie := site.login("ada")
	c := site.dial(cookie)
	taken, goOn := stopAfterTake(l)
	c.send(hello)
	<-taken
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
	site, l := newHookedSite(t, e, nil)
	cookie := site.login("ada")
	c, w := site.open(cookie, hello)
	c.receive() // the join
	c.cut()
	eventually(t, "nothing of the socket is left", func() bool { return site.hub.Held() == 0 })
	l.hook(func() { l.onChannel = func(string) error { return errLog } })
	c = site.dial(cookie)
	c.send(w.again())
	c.wantClose(1013)
	eventually(t, "nothing of the failed try is left", func() bool { return site.hub.Held() == 0 })
}

// Close ends connections that have not said hello, too, and it does not wait for their timeout.
func TestCloseBeforeHello(t *testing.T) {
	site := newSite(t, echo, &live.Config{HelloTimeout: time.Hour})
	quiet := site.dial(site.login("ada"))
	closed := make(chan error)
	go func() { closed <- site.hub.Close() }()
	quiet.wantClose(1012)
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
