package live_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/stream"
)

// A log that can't be read sends the client away, and it gets what it missed when it comes back.
func TestLogFailsWhileItIsRead(t *testing.T) {
	site, l := newHookedSite(t, echo, nil)
	cookie := site.login("ada")
	c, w := site.open(cookie, hello)
	other, _ := site.open(site.login("bob"), hello)
	id, _ := live.ParseID(w.ID)
	fails := once()
	l.hook(func() {
		l.onRead = func(s stream.Name, _ stream.Position) error {
			if s == stream.Own(id) {
				return fails()
			}
			return nil
		}
	})
	if err := site.hub.Send(t.Context(), id, []byte(`"missed"`)); err != nil {
		t.Fatal(err)
	}
	c.wantClose(1013)
	c, again := site.open(cookie, w.again())
	if !again.Resumed {
		t.Errorf("welcome %+v", again)
	}
	c.want(`[1,"missed"]`)
	other.send(`[1,1]`)
	other.want(`{"t":"ack","in":1}`, `[1,{"from":"bob","echo":1}]`)
}

// A log that fails while a socket is resumed leaves the socket as it was.
func TestLogFailsWhileASocketIsResumed(t *testing.T) {
	s, l := newObeyingHooked(t, nil, nil)
	cookie := s.login("ada")
	c, w := s.open(cookie, hello)
	c.send(`[1,{"join":"news"}]`)
	c.want(`{"t":"ack","in":1}`)
	c.cut()
	fails := once()
	l.hook(func() { l.onChannel = func(string) error { return fails() } })
	s.dialAndHello(cookie, w.again()).wantClose(1013)
	c, again := s.open(cookie, w.again())
	if !again.Resumed {
		t.Errorf("welcome %+v", again)
	}
	c.receive() // join
}

// Where the log fails the client is sent away for a while, and nothing is lost.
func TestLogThatFails(t *testing.T) {
	site, l := newHookedSite(t, echo, nil)
	cookie := site.login("ada")
	c, w := site.open(cookie, hello)

	l.hook(func() { l.onRead = func(stream.Name, stream.Position) error { return errLog } })
	c.send(`[1,"one"]`)
	c.wantClose(1013)
	l.hook(func() { l.onRead = nil })
	c, again := site.open(cookie, w.again())
	if !again.Resumed || again.In != 1 {
		t.Fatalf("welcome %+v", again)
	}
	c.want(`[1,{"from":"ada","echo":"one"}]`)

	l.hook(func() { l.onCommit = func(*stream.Batch) error { return errLog } })
	c.send(`[2,"two"]`)
	c.wantClose(1013)
	l.hook(func() { l.onCommit = nil })
	c, again = site.open(cookie, w.again(stream.Position{Epoch: w.At[""].Epoch, Number: 1}))
	if !again.Resumed || again.In != 1 {
		t.Fatalf("welcome %+v: a message that was not committed counts as handled", again)
	}
	c.send(`[2,"two"]`)
	c.want(`{"t":"ack","in":2}`, `[2,{"from":"ada","echo":"two"}]`)

	l.hook(func() { l.onTake = func(*stream.Claim) error { return errLog } })
	other := site.dial(cookie)
	other.send(hello)
	other.wantClose(1013)
	l.hook(func() { l.onTake = nil })
	c.send(`[3,"three"]`)
	c.want(`{"t":"ack","in":3}`, `[3,{"from":"ada","echo":"three"}]`)
}

// A hub whose log can't be read closes nevertheless.
func TestLogThatCantBeRead(t *testing.T) {
	site, l := newHookedSite(t, echo, nil)
	c, w := site.open(site.login("ada"), hello)
	l.hook(func() { l.onRead = func(stream.Name, stream.Position) error { return errLog } })
	id, _ := live.ParseID(w.ID)
	if err := site.hub.Send(t.Context(), id, []byte(`1`)); err != nil {
		t.Fatal(err)
	}
	c.wantClose(1013)
	ends(t, "Close", func() { site.hub.Close() })
}

// A message whose commit was made, and of which the log's answer was lost, is not handled again.
func TestAnswerOfTheLogIsLost(t *testing.T) {
	var handled atomic.Int32
	e := live.Endpoint{Message: func(ctx context.Context, s *live.Socket, m live.Message) error {
		handled.Add(1)
		return echo.Message(ctx, s, m)
	}}
	site, l := newHookedSite(t, e, nil)
	cookie := site.login("ada")
	c, w := site.open(cookie, hello)
	fails := once()
	l.hook(func() {
		l.onCommit = func(b *stream.Batch) error {
			if b.In != 1 {
				return nil
			}
			if _, err := l.Log.Commit(context.Background(), b); err != nil {
				return err
			}
			return fails()
		}
	})
	c.send(`[1,"one"]`)
	c.wantClose(1013)
	c, again := site.open(cookie, w.again())
	if !again.Resumed || again.In != 1 {
		t.Fatalf("welcome %+v", again)
	}
	c.want(`[1,{"from":"ada","echo":"one"}]`)
	c.send(`[1,"one"]`) // as a client does that has had no answer
	c.want(`{"t":"ack","in":1}`)
	c.send(`[2,"two"]`)
	c.want(`{"t":"ack","in":2}`, `[2,{"from":"ada","echo":"two"}]`)
	if n := handled.Load(); n != 2 {
		t.Errorf("two messages were handled %d times", n)
	}
}
