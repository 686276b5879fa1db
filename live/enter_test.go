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

// stopAtTake stops the first client that enters, until goOn is closed.
func stopAtTake(l *hookedLog) (entering, goOn chan struct{}) {
	entering, goOn = make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	l.hook(func() {
		l.onTake = func(*stream.Claim) error {
			if first.CompareAndSwap(false, true) {
				close(entering)
				<-goOn
			}
			return nil
		}
	})
	return entering, goOn
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

// stopAfterTake stops the first client that has taken its socket, until goOn is closed.
func stopAfterTake(l *hookedLog) (taken, goOn chan struct{}) {
	taken, goOn = make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	l.hook(func() {
		l.onTaken = func(*stream.Claim) {
			if first.CompareAndSwap(false, true) {
				close(taken)
				<-goOn
			}
		}
	})
	return taken, goOn
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
