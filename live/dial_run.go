package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coder/websocket"
)

// The times of a client, as the browser module has them.
const (
	clientSilent    = 20 * time.Second       // how long a connection may take until it is welcome
	clientQuiet     = 10 * time.Second       // how long one has to hold for the next break to be the first again
	clientLeastWait = 200 * time.Millisecond // between tries
	clientMostWait  = 20 * time.Second
)

// run makes one connection after the other, until one has ended for good.
func (c *Conn) run(ctx context.Context) {
	defer close(c.stopped)
	for {
		err := c.connect(ctx)
		c.tell(err)
		wait, again := c.lost(err)
		if !again || !pause(ctx, wait) {
			return
		}
	}
}

// tell says how the first try ended. What comes later is told to nobody.
func (c *Conn) tell(err error) {
	select {
	case c.first <- err:
	default:
	}
}

// pause waits. It reports whether ctx let it.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// lost is called after each connection. It returns when to make the next one, unless this was the last.
func (c *Conn) lost(err error) (wait time.Duration, again bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := c.link != nil && c.link.held()
	c.link = nil
	c.out.open = false
	c.in.thaw()
	c.signal() // what waits can be received again
	if end, ok := errors.AsType[*CloseError](err); ok && isFinal(end.Code) {
		c.finishLocked(end)
	}
	if c.end != nil {
		return 0, false
	}
	if held {
		c.tries = 0
	}
	if at := c.comeback; !at.IsZero() {
		c.comeback = time.Time{}
		return time.Until(at), true
	}
	c.tries++
	return c.backoff(), true
}

// backoff returns a random time, so that clients which were cut off together come back one by one.
func (c *Conn) backoff() time.Duration {
	most := min(clientLeastWait<<min(c.tries, 10), clientMostWait)
	return clientLeastWait + time.Duration(c.random()*float64(most-clientLeastWait))
}

// connect makes a connection, and speaks the protocol over it until it ends. It returns a *CloseError where the server
// has closed it.
func (c *Conn) connect(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(clientSilent, cancel)
	defer silence.Stop()
	ws, _, err := websocket.Dial(ctx, c.address, c.options)
	if err != nil {
		return err
	}
	defer ws.CloseNow()
	if ws.Subprotocol() != protocol {
		return fmt.Errorf("the server does not speak the subprotocol %s", protocol)
	}
	ws.SetReadLimit(-1) // a program may send what it likes to its own clients

	l := newClientLink(ws, cancel, silence)
	defer l.stop()
	written := make(chan struct{})
	go func() {
		defer close(written)
		c.write(ctx, l)
	}()
	err = c.read(ctx, l)
	cancel()
	<-written
	return err
}

// read handles frames until the connection ends.
func (c *Conn) read(ctx context.Context, l *clientLink) error {
	for {
		kind, text, err := l.ws.Read(ctx)
		if closed, ok := errors.AsType[websocket.CloseError](err); ok {
			return &CloseError{Code: closed.Code, Reason: closed.Reason}
		}
		if err != nil {
			return err
		}
		if err = c.handle(l, kind, text); err != nil {
			l.discard(ctx)
			return fmt.Errorf("live: from the server: %w", err)
		}
		l.heard()
	}
}

// write writes what there is to write until the connection ends. When that fails, read finds out why.
func (c *Conn) write(ctx context.Context, l *clientLink) {
	frame := c.hello(l)
	for {
		for ; frame != nil; frame = c.next(l) {
			if l.ws.Write(ctx, websocket.MessageText, frame) != nil {
				return
			}
		}
		select {
		case <-l.wake:
		case <-l.ack.C:
			c.acknowledge(l)
		case <-l.bye.C:
			l.comeBack()
			return
		case <-ctx.Done():
			return
		}
		frame = c.next(l)
	}
}
