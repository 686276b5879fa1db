package live_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store/mem"
)

var errDisk = errors.New("the disk is on fire")

// A failingLog fails when it is told to.
type failingLog struct {
	stream.Log
	take, read, commit atomic.Bool
}

func (l *failingLog) Take(ctx context.Context, c *stream.Claim) (*stream.Socket, error) {
	if l.take.Load() {
		return nil, errDisk
	}
	return l.Log.Take(ctx, c)
}

func (l *failingLog) Read(ctx context.Context, s stream.Name, at stream.Position, n int) ([]stream.Message, error) {
	if l.read.Load() {
		return nil, errDisk
	}
	return l.Log.Read(ctx, s, at, n)
}

func (l *failingLog) Commit(ctx context.Context, b *stream.Batch) ([]stream.Position, error) {
	if l.commit.Load() {
		return nil, errDisk
	}
	return l.Log.Commit(ctx, b)
}

// Where the log fails the client is sent away for a while, and nothing is lost.
func TestLogThatFails(t *testing.T) {
	s, l := mem.New(nil), &failingLog{Log: memlog.New(nil)}
	t.Cleanup(func() {
		l.Close(context.Background(), false)
		s.Close()
	})
	site := newNode(t, s, l, echo, nil)
	cookie := site.login("ada")
	c, w := site.open(cookie, hello)

	l.read.Store(true)
	c.send(`[1,"one"]`)
	c.wantClose(1013)
	l.read.Store(false)
	c, again := site.open(cookie, w.again())
	if !again.Resumed || again.In != 1 {
		t.Fatalf("welcome %+v", again)
	}
	c.want(`[1,{"from":"ada","echo":"one"}]`)

	l.commit.Store(true)
	c.send(`[2,"two"]`)
	c.wantClose(1013)
	l.commit.Store(false)
	c, again = site.open(cookie, w.again(stream.Position{Epoch: w.At[""].Epoch, Number: 1}))
	if !again.Resumed || again.In != 1 {
		t.Fatalf("welcome %+v: a message that was not committed counts as handled", again)
	}
	c.send(`[2,"two"]`)
	c.want(`{"t":"ack","in":2}`, `[2,{"from":"ada","echo":"two"}]`)

	l.take.Store(true)
	other := site.dial(cookie)
	other.send(hello)
	other.wantClose(1013)
	l.take.Store(false)
	c.send(`[3,"three"]`)
	c.want(`{"t":"ack","in":3}`, `[3,{"from":"ada","echo":"three"}]`)
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

// A client that acknowledges nothing gets no more than MaxDown messages, and goes on when it does.
func TestMaxDown(t *testing.T) {
	site := newSite(t, live.Endpoint{
		Message: func(ctx context.Context, s *live.Socket, m live.Message) error {
			for i := range 10 {
				if err := s.Send(ctx, fmt.Append(nil, i)); err != nil {
					return err
				}
			}
			return nil
		},
	}, &live.Config{MaxDown: 4, Beat: time.Second})
	c, _ := site.open(site.login("ada"), hello)
	c.send(`[1,1]`)
	c.want(`{"t":"ack","in":1}`, `[1,0]`, `[2,1]`, `[3,2]`, `[4,3]`)
	c.wantBeat()
	c.send(`{"t":"ack","at":{"":3}}`)
	c.want(`[5,4]`, `[6,5]`, `[7,6]`)
	c.wantBeat()
	c.send(`{"t":"ack","at":{"":900,"nowhere":5}}`) // what was never sent
	c.want(`[8,7]`, `[9,8]`, `[10,9]`)
}

// wantBeat receives the next frame, which has to be a beat: nothing else is on its way.
func (c *client) wantBeat() {
	c.t.Helper()
	_, text, err := c.ws.Read(c.t.Context())
	if err != nil || string(text) != `{"t":"beat"}` {
		c.t.Fatalf("got %s (%v), want a beat", text, err)
	}
}

func TestMaxDownBytes(t *testing.T) {
	site := newSite(t, live.Endpoint{
		Message: func(ctx context.Context, s *live.Socket, m live.Message) error {
			for range 5 {
				if err := s.Send(ctx, fmt.Appendf(nil, "%q", strings.Repeat("x", 100))); err != nil {
					return err
				}
			}
			return nil
		},
	}, &live.Config{MaxDownBytes: 300, Beat: time.Second})
	c, _ := site.open(site.login("ada"), hello)
	c.send(`[1,1]`)
	c.want(`{"t":"ack","in":1}`)
	got := 0
	for {
		_, text, err := c.ws.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if string(text) == `{"t":"beat"}` {
			break
		}
		got++
	}
	if got != 3 {
		t.Errorf("%d messages of 102 bytes without an acknowledgement, want 3: those that begin below 300", got)
	}
}

func TestStallTimeout(t *testing.T) {
	site := newSite(t, echo, &live.Config{StallTimeout: 500 * time.Millisecond, Beat: time.Second})
	c, _ := site.open(site.login("ada"), hello)
	c.send(`[1,1]`)
	c.wantClose(1013) // it acknowledges nothing
}
