package live

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live/stream"
)

// A callContext is what a function of an endpoint gets: one context for all of it.
type callContext struct {
	context.Context
	s *Socket
	u *unit // of Endpoint.Message; else nil
}

type socketKey struct{}

// Value returns the socket, the unit, or what the context around it has.
func (c *callContext) Value(key any) any {
	switch {
	case key == socketKey{}:
		return c.s
	case key == stream.TransactorKey{} && c.u != nil:
		return c.u
	}
	return c.Context.Value(key)
}

// FromContext returns the socket whose endpoint's function has this context; nil elsewhere.
func FromContext(ctx context.Context) *Socket {
	s, _ := ctx.Value(socketKey{}).(*Socket)
	return s
}

var errPanicked = errors.New("live: an endpoint's function panicked")

// call runs a function of the endpoint: with the socket and its session on the context, whose changes are committed
// when the function returns nil. A panic is logged, and an error.
func (s *Socket) call(ctx context.Context, u *unit, f func(ctx context.Context) error) (err error) {
	ctx = &callContext{ctx, s, u}
	if u != nil && s.hub.sharer != nil {
		ctx = s.hub.sharer.Share(ctx, u)
	}
	sess := s.sessionFor(ctx)
	ctx = session.NewContext(ctx, sess)
	defer func() {
		if p := recover(); p != nil {
			err = errPanicked
			s.hub.cfg.Logger.LogAttrs(ctx, slog.LevelError, "live: an endpoint's function panicked",
				slog.String("socket", s.id.String()), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
		}
	}()
	if err := f(ctx); err != nil {
		return err
	}
	if s.handle == nil {
		return nil
	}
	return sess.Commit(ctx)
}

// open opens the slots and calls Endpoint.Open.
func (s *Socket) open() {
	s.opened = true
	s.slots.KeepContext(s.ctx)
	if s.hub.cfg.Slots != nil {
		if err := s.slots.Open(&callContext{Context: s.ctx, s: s}, s.hub.cfg.Slots); err != nil {
			s.hub.logError(s, "opening the slots", err)
		}
	}
	if s.endpoint.Open == nil {
		return
	}
	err := s.call(s.ctx, nil, func(ctx context.Context) error { return s.endpoint.Open(ctx, s) })
	if err == nil {
		return
	}
	code, text, refused := asRefusal(err)
	switch {
	case refused:
		s.end(departure{code: StatusRefused, reason: shorten(code + ": " + text), why: Closed})
	case errors.Is(err, ErrTaken):
		s.end(departure{code: StatusSeatTaken, reason: "the seat is taken", why: Closed})
	case errors.Is(err, ErrFull):
		s.end(departure{code: StatusSeatTaken, reason: "the channel is full", why: Closed})
	default:
		s.hub.logError(s, "opening a socket", err)
		s.end(departure{code: 1011, reason: "internal error"})
	}
}

// handleMessage handles one message: its number moves in the same commit as the effects of the handler, and only then
// is it acknowledged.
func (s *Socket) handleMessage(m Message) {
	s.outbox.cork()
	defer s.outbox.uncork()
	if s.ctx.Err() != nil || !s.used() {
		return
	}
	var no *refusal
	err := s.hub.retry(s.ctx, func(u *unit) (err error) {
		no, err = s.judge(m, s.attempt(u, m))
		switch {
		case err != nil:
			return err
		case no != nil:
			u = &unit{hub: s.hub} // with nothing of what the handler did
		}
		if s.ctx.Err() != nil {
			return context.Cause(s.ctx) // the session may have ended
		}
		return u.commit(s.ctx, &stream.Batch{Lease: s.lease, In: m.Number, Received: m.Data})
	})
	if err != nil {
		s.unhandled(err)
		return
	}
	s.in.Store(m.Number)
	s.hub.counters.in.Add(1)
	s.hub.counters.bytesIn.Add(uint64(len(m.Data)))
	s.outbox.say(func(buf []byte) []byte {
		if no != nil {
			return appendJSON(buf, no)
		}
		return appendAck(buf, m.Number)
	})
}

func (s *Socket) attempt(u *unit, m Message) error {
	if s.endpoint.Message == nil {
		return Refuse("unexpected", "this endpoint takes no messages")
	}
	return s.call(s.ctx, u, func(ctx context.Context) error {
		err := s.endpoint.Message(ctx, s, m)
		if u.lost != nil { // whatever the handler has made of it: it runs again, and its session must not be committed
			return u.lost
		}
		return err
	})
}

// judge returns what the client is told of a handler's error, or an error where the message is not to be counted as
// handled: the client sends it again, here or to another node.
func (s *Socket) judge(m Message, err error) (*refusal, error) {
	switch {
	case err == nil:
		return nil, nil
	case s.ctx.Err() != nil, errors.Is(err, stream.ErrDeadlock), errors.Is(err, session.ErrEnded),
		errors.Is(err, session.ErrUnavailable):
		return nil, err
	}
	code, text, told := asRefusal(err)
	if !told && err != errPanicked {
		s.hub.logError(s, "handling a message", err)
	}
	return &refusal{T: "no", N: m.Number, Code: code, Text: text}, nil
}

// unhandled ends the socket after a message that could not be handled.
func (s *Socket) unhandled(err error) {
	switch {
	case s.ctx.Err() != nil: // it has ended already
	case errors.Is(err, session.ErrEnded):
		s.end(departure{code: StatusSessionEnded, reason: "session ended", why: SessionEnded})
	default:
		s.failed(err)
	}
}

// waits lets another goroutine read and write for the socket while one of its handlers waits.
func (s *Socket) waits() {
	if s.inbox.takeOver(time.Now()) {
		s.hub.working.Go(s.read)
	}
	s.outbox.uncorkNow()
}

// sessionFor returns a session for one call; one that answers every operation with an error where this node has no
// handle.
func (s *Socket) sessionFor(ctx context.Context) *session.Session {
	if s.handle == nil {
		return session.FromContext(context.Background())
	}
	return s.handle.Session(ctx)
}
