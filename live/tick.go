package live

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/lazysession/session/live/stream"
)

// eachSecond calls f once a second until the hub is closed.
func (h *Hub) eachSecond(f func(now time.Time)) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case now := <-ticker.C:
			f(now)
		}
	}
}

// tick looks at all sockets and sessions, so that deadlines need no timers of their own. It waits for nothing: neither
// for the log nor for an endpoint.
func (h *Hub) tick(now time.Time) {
	for _, s := range h.all() {
		s.tick(now)
	}
	h.tickSessions(now)
}

// tick beats, and ends a connection that is dead, or a client that takes nothing.
func (s *Socket) tick(now time.Time) {
	cfg := &s.hub.cfg
	if s.inbox.takeOver(now.Add(-time.Second)) {
		s.hub.working.Go(s.read)
		s.outbox.uncorkNow()
	}
	silence := now.Sub(time.Unix(0, s.heard.Load()))
	stall := now.Add(-cfg.StallTimeout)
	switch {
	case s.link.conn.stalled(stall), s.outbox.stalled(stall):
		s.end(departure{code: 1013, reason: "no progress"})
	case silence > cfg.Beat*5/2:
		s.end(departure{code: 1001, reason: "no sign of life"})
	case now.Sub(time.Unix(0, s.beaten.Load())) >= cfg.Beat:
		s.beaten.Store(now.UnixNano())
		s.outbox.rest()
		s.outbox.say(appendBeat)
	}
}

// tickSessions looks at the sessions that have expired as far as this node knows: a request may have extended them.
func (h *Hub) tickSessions(now time.Time) {
	for _, a := range h.attachedSessions() {
		if !a.expired(now) {
			continue
		}
		for _, s := range h.socketsOf(a.id) {
			h.working.Go(s.checkSession)
		}
	}
}

// checkSession ends the socket if its session has expired.
func (s *Socket) checkSession() {
	d := s.hub.look(s, false)
	if d == nil {
		return
	}
	if d.why == SessionEnded {
		d.why = SessionExpired
	}
	s.end(*d)
}

// checkLease ends the socket if another node has taken it.
func (s *Socket) checkLease() {
	ctx := s.hub.call()
	if _, err := s.hub.log.Commit(ctx, &stream.Batch{Lease: s.lease}); err != nil {
		s.failed(err)
	}
}

// reap ends sockets that did not come back in time, of this node and of dead ones.
func (h *Hub) reap(time.Time) {
	const some = 100
	h.settleKept()
	ctx := h.call()
	overdue, err := h.log.Overdue(ctx, some)
	if err != nil {
		h.cfg.Logger.LogAttrs(ctx, slog.LevelError, "live: looking for overdue sockets", slog.Any("error", err))
		return
	}
	for _, record := range overdue {
		if h.kept(record.ID) != nil {
			continue // this node has begun to end it
		}
		taken, err := h.log.Take(ctx, &stream.Claim{ID: record.ID, Node: h.cfg.Node, Overdue: true})
		if err != nil {
			continue // another node was faster, or it is back
		}
		h.endAway(ctx, taken, NotBack) // an error is logged, and it is tried again
	}
}

// endAway ends a socket that this node has taken without its client.
func (h *Hub) endAway(ctx context.Context, record *stream.Socket, why Reason) error {
	p := &parting{s: h.away(record), d: departure{left: true, why: why}}
	if err := h.settleOrKeep(ctx, p); err != nil {
		return err
	}
	if !p.left {
		return stream.ErrFenced
	}
	h.backgroundOrNow(p.tell)
	return nil
}

// away returns a socket that has no connection which could be closed or written to.
func (h *Hub) away(record *stream.Socket) *Socket {
	s := &Socket{hub: h, endpoint: h.endpoint(record.Endpoint), id: record.ID, lease: record.Lease(), resumed: true}
	s.outbox.s = s
	s.ctx, s.cancel = context.WithCancelCause(h.ctx)
	s.cancel(errAway)
	s.outbox.stop()
	return s
}

var errAway = errors.New("live: the socket is away")

// endpoint returns the endpoint of a name; nil where this node has none of it.
func (h *Hub) endpoint(name string) *served {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, e := range h.endpoints {
		if e.name == name {
			return e
		}
	}
	return nil
}
