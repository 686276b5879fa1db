package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/lazysession/session/live/stream"
)

// DialOptions say how Dial connects. A nil *DialOptions is the zero DialOptions.
type DialOptions struct {
	// HTTPClient makes the connections. The cookies of its Jar are sent with each of them, so that a session which was
	// renewed is found again. Defaults to http.DefaultClient.
	HTTPClient *http.Client

	// HTTPHeader is sent with each connection's request. An Origin that it lacks is that of the URL.
	HTTPHeader http.Header
}

// A Conn is a live socket in a Go program, the counterpart of the browser module. It outlives its connections: when one
// breaks, the next goes on where it was. Its methods may be called by several goroutines at once.
type Conn struct {
	address string
	options *websocket.DialOptions
	random  func() float64
	stop    context.CancelFunc
	stopped chan struct{} // closed when the loop of connections has ended

	first   chan error    // how the first try ended
	arrived chan struct{} // there may be something to receive
	ended   chan struct{} // closed with end

	mu       sync.Mutex // locks the remaining fields
	id       stream.ID
	in       clientInbox
	out      clientQueue
	link     *clientLink // the connection, from its hello on
	end      *CloseError // why there will be no more connections
	tries    int         // how many came to nothing since the last that held
	comeback time.Time   // when to leave or to come back, after a bye
}

// clientQueueBound is how many messages may wait for their answers.
const clientQueueBound = 1000

// Dial connects to a live endpoint, and returns when the server has welcomed the client. The URL's scheme is ws, wss,
// http or https. Where the first try fails, its error is returned: a *CloseError if the server has closed the
// connection. Later the Conn comes back by itself. ctx is for Dial only.
//
// Close the Conn to release what it holds.
func Dial(ctx context.Context, url string, o *DialOptions) (*Conn, error) {
	c, err := dialing(url, o, rand.Float64)
	if err != nil {
		return nil, err
	}
	select {
	case err = <-c.first:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("live: dial %s: %w", url, err)
	}
	return c, nil
}

// dialing returns a Conn that has begun to connect.
func dialing(address string, o *DialOptions, random func() float64) (*Conn, error) {
	if o == nil {
		o = new(DialOptions)
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("live: dial: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	c := &Conn{
		address: address,
		options: &websocket.DialOptions{
			HTTPClient:   o.HTTPClient,
			HTTPHeader:   withOrigin(o.HTTPHeader, u),
			Subprotocols: []string{protocol},
		},
		random:  random,
		stop:    stop,
		stopped: make(chan struct{}),
		first:   make(chan error, 1),
		arrived: make(chan struct{}, 1),
		ended:   make(chan struct{}),
		in:      newClientInbox(),
		out:     clientQueue{bound: clientQueueBound},
	}
	go c.run(ctx)
	return c, nil
}

// withOrigin returns a copy of the header with an Origin. A server refuses cookies without one, since a browser sends
// it always. A program of its own is no page of another site, so it may say the server's.
func withOrigin(h http.Header, u *url.URL) http.Header {
	h = h.Clone()
	if h == nil {
		h = make(http.Header)
	}
	if h.Get("Origin") != "" {
		return h
	}
	scheme := map[string]string{"ws": "http", "wss": "https"}[u.Scheme]
	if scheme == "" {
		scheme = u.Scheme
	}
	h.Set("Origin", scheme+"://"+u.Host)
	return h
}

// ID returns the ID of the socket. It changes when the server does not know the socket any more; Receive returns a
// GapError of the socket's own stream then.
func (c *Conn) ID() stream.ID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.id
}

// Send sends one JSON value, and returns when the server has handled it, once, whatever happens to the connection
// meanwhile. It returns a *SendError where the message was refused or could not be sent, and a *CloseError where the
// Conn has ended. When ctx ends first, a message that is not on its way is not sent; of one that is, it is unknown
// whether it was or will be handled. Up to 1,000 messages may wait.
func (c *Conn) Send(ctx context.Context, data []byte) error {
	if !json.Valid(data) {
		return errors.New("live: message is not JSON")
	}
	m, err := c.enqueue(data)
	if err != nil {
		return err
	}
	select {
	case err = <-m.answer:
		return err
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		c.out.abandon(m)
		return context.Cause(ctx)
	}
}

func (c *Conn) enqueue(data []byte) (*clientMessage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end != nil {
		return nil, c.end
	}
	m, err := c.out.add(data)
	if err == nil {
		c.link.wakeUp()
	}
	return m, err
}

// Receive returns the next message, or what happened to a member of a channel, each once and in the order of its
// stream, across all connections. It returns a *GapError where messages will not arrive, and can be called again after
// it. When the Conn has ended and nothing is left, it returns a *CloseError.
//
// The server sends a limited number of messages ahead of those that were received. A program that has no use for them
// has to call Receive nevertheless, or the server ends connections that stand still.
func (c *Conn) Receive(ctx context.Context) (Message, error) {
	for {
		d, ok, end := c.take()
		if ok {
			return d.received()
		}
		if end != nil {
			return Message{}, end
		}
		select {
		case <-c.arrived:
		case <-c.ended:
		case <-ctx.Done():
			return Message{}, context.Cause(ctx)
		}
	}
}

// take returns what is next to receive, or else why nothing will come any more.
func (c *Conn) take() (d clientDelivery, ok bool, end *CloseError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok = c.in.take()
	if ok {
		c.link.received(&c.in)
	}
	if c.in.ready() {
		c.signal()
	}
	return d, ok, c.end
}

// signal wakes one Receive, which wakes the next if there is more.
func (c *Conn) signal() {
	select {
	case c.arrived <- struct{}{}:
	default:
	}
}

// Close ends the socket for good: it leaves its channels, and sends without an answer return a *CloseError. It waits a
// second at most for the server to be told. A second call does nothing.
func (c *Conn) Close() error {
	c.mu.Lock()
	link := c.link
	welcome := c.out.open
	c.finishLocked(&CloseError{Code: websocket.StatusNormalClosure})
	c.mu.Unlock()

	link.leave(welcome)
	c.stop()
	<-c.stopped
	return nil
}

// finishLocked makes end the reason for which there are no more connections, unless there is one.
func (c *Conn) finishLocked(end *CloseError) {
	if c.end != nil {
		return
	}
	c.end = end
	c.out.fail(end)
	close(c.ended)
}
