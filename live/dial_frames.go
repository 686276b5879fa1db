package live

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"github.com/coder/websocket"

	"github.com/lazysession/session/live/stream"
)

// hello begins a connection, and returns its first frame.
func (c *Conn) hello(l *clientLink) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link = l
	at := c.in.hello()
	if c.id.IsZero() {
		return []byte(`{"t":"hello"}`)
	}
	return clientJSON(struct {
		T  string          `json:"t"`
		ID stream.ID       `json:"id"`
		At clientPositions `json:"at"`
	}{"hello", c.id, at})
}

func clientJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // nothing in a frame can fail
	}
	return text
}

// next returns the next frame that is ready, or nil.
func (c *Conn) next(l *clientLink) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.ackDue {
		l.ackDue, l.waiting = false, false
		if at := c.in.acknowledge(); at != nil {
			return clientJSON(struct {
				T  string            `json:"t"`
				At map[string]uint64 `json:"at"`
			}{"ack", at})
		}
	}
	if l.beatDue {
		l.beatDue = false
		return []byte(`{"t":"beat"}`)
	}
	return c.out.next()
}

// acknowledge makes an acknowledgement due.
func (c *Conn) acknowledge(l *clientLink) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.ackDue = true
}

var errClientFrame = errors.New("not a frame of live.1")

// handle handles a frame from the server.
func (c *Conn) handle(l *clientLink, kind websocket.MessageType, text []byte) error {
	if kind != websocket.MessageText {
		return errClientFrame
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if text = bytes.TrimSpace(text); bytes.HasPrefix(text, []byte("[")) {
		return c.handleMessage(text)
	}
	if !bytes.HasPrefix(text, []byte("{")) {
		return errClientFrame
	}
	var head struct{ T any }
	if err := json.Unmarshal(text, &head); err != nil {
		return err
	}
	switch head.T {
	case "welcome":
		return c.handleWelcome(l, text)
	case "ack":
		return c.handleAck(l, text)
	case "no":
		return c.handleNo(l, text)
	case "join", "part", "gap":
		return c.handlePlace(head.T.(string), text)
	case "member":
		return c.handleMember(text)
	case "bye":
		return c.handleBye(l, text)
	case "beat":
		l.ackDue, l.beatDue = true, true
		l.wakeUp()
	}
	return nil
}

func (c *Conn) handleMessage(text []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	if len(parts) < 2 {
		return errClientFrame
	}
	m := Message{Data: parts[1]}
	if err := json.Unmarshal(parts[0], &m.Number); err != nil {
		return err
	}
	if len(parts) > 2 {
		if err := json.Unmarshal(parts[2], &m.Stream); err != nil {
			return err
		}
	}
	return c.deliver(m)
}

func (c *Conn) handleMember(text []byte) error {
	var f struct {
		S string
		N uint64
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return err
	}
	event, err := stream.DecodeMemberEvent(text)
	if err != nil {
		return err
	}
	return c.deliver(Message{Stream: f.S, Number: f.N, Member: &event})
}

func (c *Conn) deliver(m Message) error {
	defer c.signal()
	return c.in.next(m)
}

func (c *Conn) handlePlace(kind string, text []byte) error {
	var f struct {
		S   string
		At  stream.Position
		Why stream.Gap
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return err
	}
	d := clientDelivery{stream: f.S, at: f.At, part: kind == "part"}
	if kind == "gap" {
		d.gap = &GapError{Stream: f.S, Why: f.Why}
	}
	c.in.put(d)
	c.signal()
	return nil
}

func (c *Conn) handleAck(l *clientLink, text []byte) error {
	var f struct{ In uint64 }
	if err := json.Unmarshal(text, &f); err != nil {
		return err
	}
	c.out.answered(f.In)
	l.wakeUp()
	return nil
}

func (c *Conn) handleNo(l *clientLink, text []byte) error {
	var f struct {
		N          uint64
		Code, Text string
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return err
	}
	c.out.refused(f.N, &SendError{Code: f.Code, Text: f.Text})
	l.wakeUp()
	return nil
}

func (c *Conn) handleBye(l *clientLink, text []byte) error {
	var f struct{ After [2]float64 } // in milliseconds
	if err := json.Unmarshal(text, &f); err != nil {
		return err
	}
	wait := time.Duration((f.After[0] + c.random()*(f.After[1]-f.After[0])) * float64(time.Millisecond))
	c.comeback = time.Now().Add(wait)
	l.bye.Reset(wait)
	return nil
}

func (c *Conn) handleWelcome(l *clientLink, text []byte) error {
	var f struct {
		ID       stream.ID
		Resumed  bool
		In       uint64
		At       clientPositions
		Win, Max int
		Beat     float64 // in seconds
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return err
	}
	if f.Resumed {
		c.in.resume()
		c.out.resume(f.In)
	} else {
		c.in.restart(f.At, !c.id.IsZero())
		c.out.restart(f.In)
	}
	c.id = f.ID
	c.in.thaw()
	c.out.welcome(f.Win, f.Max)
	l.since = time.Now()
	if f.Beat > 0 {
		l.patience = time.Duration(2.5 * f.Beat * float64(time.Second))
	}
	c.tell(nil)
	c.signal()
	l.wakeUp()
	return nil
}
