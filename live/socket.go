package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/slot"
)

// A Socket is one client's live socket, as long as this node has it. Goroutines may share it.
//
// A socket outlives its connections. When one breaks, the client comes back, perhaps to another node, and gets another
// Socket with the same ID there. Send of the old one still reaches the client; Close returns an error.
type Socket struct {
	hub      *Hub
	endpoint *served
	id       ID
	lease    stream.Lease
	resumed  bool
	session  *attachment
	handle   *session.Handle
	link     *link // nil where the socket is only taken to end it
	ctx      context.Context
	cancel   context.CancelCauseFunc

	in       atomic.Uint64 // the number of the last message that was handled
	received atomic.Uint64 // the number of the last message that was read
	welcomed atomic.Bool   // the client has answered the welcome, so it knows the ID
	heard    atomic.Int64  // when the client was last heard, in nanoseconds since 1970
	beaten   atomic.Int64  // when the last sign of life was sent
	slots    slot.Data
	opened   bool // Endpoint.Open was called; of the inbox's tasks
	inbox    inbox
	outbox   outbox

	joining sync.Mutex // held while the socket joins a channel, so that what it gets begins in the order of its joins
	ending  sync.Once
}

// ID returns the public identity of the socket.
func (s *Socket) ID() ID { return s.id }

// Session returns the session that the socket belongs to, for uses outside the endpoint's functions. It is read anew
// for each call of this method, at its first use, and its changes are stored by Session.Commit. Within an endpoint's
// function, session.FromContext gives one whose changes are committed with the function.
func (s *Socket) Session() *session.Session { return s.sessionFor(s.ctx) }

// Resumed reports whether the client has come back, so that this is not the first time the socket was taken.
func (s *Socket) Resumed() bool { return s.resumed }

// SlotData returns the socket's data for the slots of Config.Slots: it is a slot.Holder as connections are. The slots
// are opened before Endpoint.Open, and released when this node has the socket no more.
func (s *Socket) SlotData() *slot.Data { return &s.slots }

// Send sends one JSON document to the client. When it returns nil, the message has its number in the socket's stream
// and is as durable as the log is. Within Endpoint.Message it is sent when the message is committed.
func (s *Socket) Send(ctx context.Context, data []byte) error { return s.hub.Send(ctx, s.id, data) }

// Close closes the connection. With one of the codes 4400 to 4429 of the protocol the socket has left for good; after
// any other one the client comes back. Reasons have at most 123 bytes.
func (s *Socket) Close(code StatusCode, reason string) error {
	if err := checkClose(code, reason); err != nil {
		return err
	}
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	s.end(departure{code: code, reason: reason, why: Closed})
	return nil
}

func checkClose(code StatusCode, reason string) error {
	const maxReason = 123 // RFC 6455, section 5.5
	switch {
	case code < 1000 || code > 4999 || code == 1004 || code == 1005 || code == 1006 || code == 1015:
		return fmt.Errorf("live: %d is not a close code that may be sent", code)
	case len(reason) > maxReason:
		return fmt.Errorf("live: the reason %q is longer than %d bytes", reason, maxReason)
	}
	return nil
}

// A departure is how this node's hold on a socket ends.
type departure struct {
	code   StatusCode // 0: the connection is broken already
	reason string
	left   bool   // for good, also where the code isn't final
	fenced bool   // another node has the socket
	why    Reason // of those that leave for good
}

func (d departure) final() bool { return d.left || isFinal(d.code) }

var (
	takenOver = departure{code: StatusTakenOver, reason: "taken over", fenced: true}
	restart   = departure{code: 1012, reason: "restart"}
)

// end ends this node's hold on the socket. Only the first call counts.
func (s *Socket) end(d departure) {
	s.ending.Do(func() {
		s.cancel(errors.New("live: the socket was closed: " + d.reason))
		s.outbox.stop()
		if d.fenced {
			s.hub.counters.fenced.Add(1)
		}
		s.hub.closing.Add(1)
		s.link.close(d, s.hub.closing.Done)
		s.inbox.pushLast(func() { s.hub.part(s, d) })
	})
}

// bye asks the client to come back within a time.
func (s *Socket) bye(over time.Duration) {
	s.outbox.say(func(buf []byte) []byte {
		return appendJSON(buf, bye{T: "bye", After: [2]int64{0, over.Milliseconds()}})
	})
}

// broken ends the socket after its connection broke.
func (s *Socket) broken() { s.end(departure{}) }

// failed ends the socket after the log has failed. The client comes back, here or to another node.
func (s *Socket) failed(err error) {
	if isFenced(err) {
		s.end(takenOver)
		return
	}
	s.hub.logError(s, "the log failed", err)
	s.end(departure{code: 1013, reason: "try again later"})
}

// readFrame reads the next frame. text is what it was read from, and its data points into.
func (s *Socket) readFrame() (f frame, text []byte, err error) {
	if err := s.link.conn.await(); err != nil {
		return f, nil, err
	}
	text, err = s.link.read(getBuf())
	if err == nil {
		f, err = readFrame(text)
	}
	return f, text, err
}

// read reads frames until the connection breaks, or until another goroutine has taken the reading over. It waits by
// itself, so that the stack of an idle socket is shallow.
func (s *Socket) read() {
	for {
		if err := s.link.conn.await(); err != nil {
			s.broken()
			return
		}
		if !s.readOne() {
			return
		}
	}
}

// readOne reads one frame, which has begun to come, and reports whether the caller goes on reading.
func (s *Socket) readOne() bool {
	f, text, err := s.readFrame()
	defer putBuf(text)
	if err != nil {
		s.unreadable(err)
		return false
	}
	return s.take(f)
}

// unreadable ends the socket after what could not be read.
func (s *Socket) unreadable(err error) {
	switch {
	case errors.Is(err, errBinary):
		s.protocolError("text frames only")
	case errors.Is(err, errUTF8):
		s.end(departure{code: 1007, reason: "text is not UTF-8"})
	case errors.Is(err, errFraming):
		s.end(departure{code: 1002, reason: "broken framing"})
	case errors.Is(err, errFrame):
		s.protocolError("invalid frame")
	default:
		s.broken()
	}
}

func (s *Socket) protocolError(reason string) {
	s.hub.cfg.Logger.LogAttrs(s.ctx, slog.LevelDebug, "live: protocol error",
		slog.String("socket", s.id.String()), slog.String("reason", reason))
	s.end(departure{code: StatusProtocol, reason: reason, why: Closed})
}

// take handles a frame, and reports whether this goroutine goes on reading.
func (s *Socket) take(f frame) bool {
	s.heard.Store(time.Now().UnixNano())
	s.welcomed.Store(true)
	switch f.kind {
	case messageFrame:
		return s.takeMessage(f)
	case ackFrame:
		s.outbox.acknowledged(f)
	case beatFrame:
	case endFrame:
		s.end(departure{code: 1000, left: true, why: ClientLeft})
		return false
	case helloFrame:
		s.protocolError("hello twice")
		return false
	}
	return true
}

// takeMessage handles the next message. One that was handled before is acknowledged again.
func (s *Socket) takeMessage(f frame) bool {
	switch {
	case len(f.data) > s.hub.cfg.MaxMessage:
		s.end(departure{code: 1009, reason: "message too large"})
		return false
	case f.number <= s.in.Load():
		s.outbox.say(func(buf []byte) []byte { return appendAck(buf, s.in.Load()) })
		return true
	case f.number <= s.received.Load():
		return true // it is queued
	case f.number > s.received.Load()+1:
		s.protocolError(fmt.Sprintf("message %d after %d", f.number, s.received.Load()))
		return false
	case f.number-s.in.Load() > uint64(s.hub.cfg.MaxUp):
		s.end(departure{code: StatusTooMuch, reason: "too many messages at a time", why: Closed})
		return false
	}
	s.received.Store(f.number)
	m := Message{Number: f.number, Data: append([]byte(nil), f.data...)}
	return s.inbox.run(func() { s.handleMessage(m) })
}
