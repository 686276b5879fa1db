package live

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live/stream"
)

// A parting is the end of what this node had of a socket. It is over once the log has taken it: until then the members
// of the socket's channels see it in its place.
type parting struct {
	s *Socket
	d departure

	mu sync.Mutex
	// mu locks the remaining fields, and is held while the log is asked.
	tried bool // the log has failed, so what became of the first try is unknown
	over  bool // the log knows
	left  bool // the socket has left for good, by this parting
	told  bool // the endpoint was told, or need not be
}

// part ends what this node has of a socket: its channels see it away or gone. It is the socket's last task.
func (h *Hub) part(s *Socket, d departure) {
	defer h.handlers.done()
	defer h.detach(s)
	h.mu.Lock()
	delete(h.coming, s)
	h.mu.Unlock()
	if s.lease.Incarnation == 0 {
		return // it never entered
	}
	p := &parting{s: s, d: d, over: d.fenced}
	settled := h.settleOrKeep(h.call(), p) == nil
	h.unsubscribeAll(s.outbox.close())
	h.mu.Lock()
	if h.sockets[s.id] == s {
		delete(h.sockets, s.id)
	}
	h.mu.Unlock()
	if settled || !d.final() {
		p.tell()
	}
}

// settle has the log take the parting. After an error it is to be tried again.
func (p *parting) settle(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return nil
	}
	log := p.s.hub.log
	_, err := log.Commit(ctx, &stream.Batch{Lease: p.s.lease, Ops: p.ops()})
	switch {
	case err == nil:
		p.left = p.d.final()
	case !isFenced(err):
		p.tried = true
		return err
	case p.tried && p.d.final(): // an earlier try may have been made, and its answer lost
		there, err := hasSocket(ctx, log, p.s.id)
		if err != nil {
			return err
		}
		p.left = !there
	}
	p.over = true
	return nil
}

// ops returns what the log has to do.
func (p *parting) ops() []stream.Op {
	if p.d.final() {
		return []stream.Op{{Kind: stream.End}}
	}
	ops := []stream.Op{{Kind: stream.Away, Window: p.s.hub.cfg.Window}}
	if p.s.welcomed.Load() {
		ops = append(ops, stream.Op{Kind: stream.Welcome})
	}
	return ops
}

// isFenced reports whether an error of the log says that this node has the socket no more.
func isFenced(err error) bool { return errors.Is(err, stream.ErrFenced) || isNotFound(err) }

func isNotFound(err error) bool { return errors.Is(err, stream.ErrNotFound) }

func hasSocket(ctx context.Context, l stream.Log, id ID) (bool, error) {
	for _, err := range l.Sockets(ctx, stream.Filter{ID: id}) {
		return err == nil, err
	}
	return false, nil
}

// tell calls Endpoint.Leave where the socket has left for good, once, and frees what the socket held.
func (p *parting) tell() {
	p.mu.Lock()
	left, told := p.left, p.told
	p.told = true
	p.mu.Unlock()
	if told {
		return
	}
	if left && (p.s.opened || p.s.resumed) {
		p.s.leave(p.d.why)
	}
	p.s.slots.Release()
}

// leave calls Endpoint.Leave.
func (s *Socket) leave(why Reason) {
	if s.endpoint == nil || s.endpoint.Leave == nil {
		return
	}
	err := s.call(context.WithoutCancel(s.ctx), nil, func(ctx context.Context) error {
		s.endpoint.Leave(ctx, s, why)
		return nil
	})
	if err != nil && err != errPanicked && !errors.Is(err, session.ErrEnded) {
		s.hub.logError(s, "committing the session", err)
	}
}

// settleOrKeep settles a parting, or keeps it on the hub's list, which has one for a socket.
func (h *Hub) settleOrKeep(ctx context.Context, p *parting) error {
	err := p.settle(ctx)
	if err == nil {
		return nil
	}
	h.logError(p.s, "parting from a socket: it is tried again", err)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.partings[p.s.id] = p
	return err
}

// settleKept tries all partings on the list again.
func (h *Hub) settleKept() {
	h.mu.RLock()
	kept := slices.Collect(maps.Values(h.partings))
	h.mu.RUnlock()
	ctx := h.call()
	for _, p := range kept {
		if ctx.Err() != nil {
			return
		}
		h.settleAgain(ctx, p)
	}
}

// settleAgain tries a parting of the list again.
func (h *Hub) settleAgain(ctx context.Context, p *parting) error {
	if err := p.settle(ctx); err != nil {
		return err
	}
	h.mu.Lock()
	if h.partings[p.s.id] == p {
		delete(h.partings, p.s.id)
	}
	h.mu.Unlock()
	h.backgroundOrNow(p.tell)
	return nil
}

// settleLast tries all partings on the list a last time. The sockets of those that still fail are left to the log, as
// those of a node that has died.
func (h *Hub) settleLast() {
	h.settleKept()
	h.mu.Lock()
	kept := h.partings
	h.partings = make(map[ID]*parting)
	h.mu.Unlock()
	for _, p := range kept {
		h.cfg.Logger.LogAttrs(h.ctx, slog.LevelError, "live: the log was never told of a parting",
			slog.String("socket", p.s.id.String()))
		p.tell()
	}
}

// kept returns the parting of a socket that is on the list; nil where there is none.
func (h *Hub) kept(id ID) *parting {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.partings[id]
}

// settleBefore makes sure that a socket which has left for good is gone before its client comes back with it.
func (h *Hub) settleBefore(ctx context.Context, id ID) error {
	p := h.kept(id)
	if p == nil || !p.d.final() {
		return nil
	}
	return h.settleAgain(ctx, p)
}
