package live_test

import (
	"context"
	"errors"
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
