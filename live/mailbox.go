package live

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/lazysession/session/live/stream"
)

// A mailbox is how a node is told by others to close a socket: a socket of the log without a client, whose own stream
// the hub reads itself.
type mailbox struct {
	hub   *Hub
	lease stream.Lease
	at    stream.Position // of the goroutine that reads
	woken chan struct{}   // has one element where there may be something new
}

// An order tells a node to close a socket.
type order struct {
	Socket ID         `json:"socket"`
	Code   StatusCode `json:"code"`
	Reason string     `json:"reason"`
}

func (h *Hub) openMailbox() (*mailbox, error) {
	id := mailboxID(h.cfg.Node)
	ctx := h.call()
	s, err := h.log.Take(ctx, &stream.Claim{ID: id, Node: h.cfg.Node})
	if err != nil {
		s, err = h.log.Take(ctx, &stream.Claim{ID: id, New: true, Node: h.cfg.Node})
	}
	if err != nil {
		return nil, err
	}
	m := &mailbox{hub: h, lease: s.Lease(), at: s.Out, woken: make(chan struct{}, 1)}
	h.working.Go(m.read)
	return m, nil
}

func (m *mailbox) id() ID { return m.lease.Socket }

// wake says that there may be something new.
func (m *mailbox) wake() {
	select {
	case m.woken <- struct{}{}:
	default:
	}
}

func (m *mailbox) read() {
	for {
		select {
		case <-m.woken:
			m.readAll()
		case <-m.hub.ctx.Done():
			return
		}
	}
}

func (m *mailbox) readAll() {
	const some = 100
	for {
		messages, err := m.hub.log.Read(m.hub.call(), stream.Own(m.id()), m.at, some)
		if gap, ok := errors.AsType[*stream.GapError](err); ok {
			m.at = gap.At // what is missing can't be obeyed any more, but what follows can
			continue
		}
		if err != nil {
			time.AfterFunc(time.Second, m.wake)
			m.hub.cfg.Logger.LogAttrs(m.hub.ctx, slog.LevelError, "live: reading the mailbox", slog.Any("error", err))
		}
		if len(messages) == 0 {
			return
		}
		for _, message := range messages {
			m.at.Number = message.Number
			m.obey(message.Data)
		}
	}
}

func (m *mailbox) obey(data []byte) {
	var o order
	if err := json.Unmarshal(data, &o); err != nil {
		return
	}
	if s := m.hub.socket(o.Socket); s != nil {
		s.end(departure{code: o.Code, reason: o.Reason, why: Closed})
	}
}

// sendClose tells the node that has a socket to close it.
func (m *mailbox) sendClose(ctx context.Context, o order) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	for s, err := range m.hub.log.Sockets(ctx, stream.Filter{ID: o.Socket}) {
		if err != nil {
			return err
		}
		if !s.AwayUntil.IsZero() {
			return m.hub.dismiss(ctx, s, o.Code)
		}
		_, err = m.hub.log.Commit(ctx, &stream.Batch{Ops: []stream.Op{
			{Kind: stream.Send, Stream: stream.Own(mailboxID(s.Node)), Data: text},
		}})
		return err
	}
	return nil
}

// dismiss ends a socket that is away, if the code is final: there is no connection to close.
func (h *Hub) dismiss(ctx context.Context, s *stream.Socket, code StatusCode) error {
	if !isFinal(code) {
		return nil
	}
	taken, err := h.log.Take(ctx, &stream.Claim{
		ID: s.ID, Session: s.Session, Owner: s.Owner, Node: h.cfg.Node, Endpoint: s.Endpoint,
	})
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return h.endAway(ctx, taken, Closed)
}

// close removes the mailbox.
func (m *mailbox) close() {
	ctx := m.hub.call()
	m.hub.log.Commit(ctx, &stream.Batch{Lease: m.lease, Ops: []stream.Op{{Kind: stream.End}}})
}
