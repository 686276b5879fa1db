package live

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/service"
)

// protocol is the WebSocket subprotocol (RFC 6455, section 1.9).
const protocol = "live.1"

// A served is an Endpoint that a handler of the hub serves.
type served struct {
	Endpoint
	name string // for other nodes: the number of its Handler call
}

// Handler returns a handler that serves sockets by an endpoint. It has to stand below the Manager's Handler, and each
// node has to make the handlers of its hub in the same order, so that they know each other's sockets.
//
// A socket needs a session that exists. A client whose Origin is neither the request's own scheme and host nor one of
// Config.Origins is refused, and so is one that sends a cookie and no Origin (CWE-1385). Where the server doesn't speak
// TLS itself, a proxy may, so the scheme is not compared. Refusals come as a close code after the upgrade, since
// browsers show scripts nothing else.
func (h *Hub) Handler(e Endpoint) http.Handler {
	h.mu.Lock()
	defer h.mu.Unlock()
	sv := &served{Endpoint: e, name: strconv.Itoa(len(h.endpoints))}
	h.endpoints = append(h.endpoints, sv)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, sv) })
}

// serve upgrades a request. The handler returns, so that what it needed can be freed; the socket goes on in a goroutine
// of its own.
func (h *Hub) serve(w http.ResponseWriter, r *http.Request, e *served) {
	if !h.admit() {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "This server is about to stop.", http.StatusServiceUnavailable)
		return
	}
	handle, refused := h.examine(r)
	l, err := accept(w, r, h.cfg.MaxMessage)
	if err != nil { // and it is answered
		h.handlers.done()
		return
	}
	if l.ws.Subprotocol() != protocol {
		refused = &departure{code: StatusProtocol, reason: "want the subprotocol " + protocol}
	}
	if refused != nil {
		h.closing.Add(1)
		l.close(*refused, h.closing.Done)
		h.handlers.done()
		return
	}
	s := &Socket{hub: h, endpoint: e, handle: handle, link: l}
	s.outbox.s, s.outbox.corked = s, true // until the welcome
	s.ctx, s.cancel = context.WithCancelCause(service.NewContext(h.ctx, service.FromContext(r.Context())))
	h.expect(s)
	if !h.background(s.greet) {
		s.end(restart)
	}
}

// expect makes a connection known to the hub that has not said hello yet, so that Close finds it.
func (h *Hub) expect(s *Socket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.coming[s] = struct{}{}
}

// admit counts a new socket, unless the hub is about to stop.
func (h *Hub) admit() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.stopping {
		return false
	}
	h.handlers.add()
	return true
}

// examine returns a handle on the session of a request, or why the request is refused.
func (h *Hub) examine(r *http.Request) (*session.Handle, *departure) {
	if !h.mayCome(r) {
		return nil, &departure{code: StatusRefused, reason: "origin not allowed"}
	}
	s := h.m.Session(r.Context())
	exists, err := s.Exists()
	switch {
	case err != nil:
		return nil, &departure{code: 1013, reason: "try again later"}
	case !exists:
		return nil, &departure{code: StatusSessionEnded, reason: "no session"}
	}
	handle, err := s.Handle()
	if err != nil {
		return nil, &departure{code: StatusSessionEnded, reason: "no session"}
	}
	return handle, nil
}

// mayCome reports whether the page that opens the socket may: a browser sends the cookie whatever page it is.
func (h *Hub) mayCome(r *http.Request) bool {
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		return len(r.Header["Cookie"]) == 0 // no browser
	}
	if len(origins) > 1 {
		return false
	}
	u, err := url.Parse(origins[0])
	if err != nil || u.Host == "" {
		return false
	}
	if strings.EqualFold(u.Host, r.Host) && (r.TLS == nil || u.Scheme == "https") {
		return true
	}
	return slices.Contains(h.cfg.Origins, origins[0])
}

// greet waits for the client's hello, enters the socket, and goes on to read.
func (s *Socket) greet() {
	late := time.AfterFunc(s.hub.cfg.HelloTimeout, func() {
		s.end(departure{code: 1013, reason: "no hello"}) // a slow network may be the cause: come back
	})
	f, text, err := s.readFrame()
	putBuf(text)
	late.Stop()
	switch {
	case err != nil:
		s.unreadable(err)
	case f.kind != helloFrame:
		s.protocolError("hello comes first")
	case s.inbox.run(func() { s.hub.enter(s, f) }):
		s.hub.working.Go(s.read) // anew, since entering needs a stack four times as deep
	}
}

// enter takes the socket for this node and welcomes the client. It is the first of the socket's tasks: where the
// socket is to end meanwhile, the end comes behind it.
func (h *Hub) enter(s *Socket, f frame) {
	if s.ctx.Err() != nil {
		return
	}
	s.heard.Store(time.Now().UnixNano())
	s.beaten.Store(time.Now().UnixNano())
	if d := h.attach(s, f.id); d != nil {
		s.end(*d)
		return
	}
	record, err := h.claim(s, f.id)
	if err != nil {
		s.failed(err)
		return
	}
	s.id, s.lease, s.resumed = record.ID, record.Lease(), !f.id.IsZero() && f.id == record.ID
	s.in.Store(record.In)
	s.received.Store(record.In)
	at, err := h.resume(s, record, f.at)
	if err != nil {
		s.failed(err)
		return
	}
	s.outbox.say(func(buf []byte) []byte {
		buf = appendJSON(buf, welcome{
			T: "welcome", ID: s.id, Resumed: s.resumed, In: record.In, At: at,
			Win: h.cfg.MaxUp, Max: h.cfg.MaxMessage, Beat: int(h.cfg.Beat / time.Second),
		})
		return s.appendParts(buf, f.at)
	})
	h.register(s)
	s.outbox.uncorkNow()
	h.counters.entered.Add(1)
	if s.resumed {
		h.counters.resumed.Add(1)
		h.background(s.checkLease) // another node may have taken it before this one could hear of that
	}
	if s.ctx.Err() == nil {
		s.open()
	}
}

// claim takes the socket that the client comes back with, or a new one where that is not there or is not of this
// session.
func (h *Hub) claim(s *Socket, id ID) (*stream.Socket, error) {
	ctx := h.call()
	c := stream.Claim{
		ID: id, Session: s.handle.ID(), Owner: s.session.ownedBy(), Node: h.cfg.Node, Endpoint: s.endpoint.name,
	}
	if !id.IsZero() {
		if err := h.settleBefore(ctx, id); err != nil {
			return nil, err
		}
		record, err := h.log.Take(ctx, &c)
		if err == nil || !isNotFound(err) {
			return record, err
		}
	}
	c.ID, c.New = stream.NewID(), true
	return h.log.Take(ctx, &c)
}

// positions are places in a socket's streams, by the names that the client has for them.
type positions = map[string]stream.Position

// resume makes the socket's subscriptions, and returns how far the client has got in each stream as far as this node
// knows.
func (h *Hub) resume(s *Socket, record *stream.Socket, at positions) (positions, error) {
	own := &subscription{out: &s.outbox, grown: true, resuming: true, top: record.Out.Number}
	own.at = stream.Position{Epoch: record.Out.Epoch}
	if s.resumed {
		own.at = at[""]
	}
	subs := []*subscription{own}
	for _, channel := range record.Channels {
		sub, err := h.resubscribe(s, channel, at)
		if err != nil {
			h.unsubscribeAll(subs)
			return nil, err
		}
		if sub != nil {
			subs = append(subs, sub)
		}
	}
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	s.outbox.subs = subs
	known := make(positions)
	for _, sub := range subs {
		if !sub.announce {
			known[sub.channelName()] = sub.at
		}
	}
	return known, nil
}

// appendParts appends a frame for each channel that the client believes to be in and is not. The outbox is locked.
func (s *Socket) appendParts(buf []byte, at positions) []byte {
	for channel := range at {
		if channel != "" && s.outbox.findLocked(channel) == nil && s.resumed {
			buf = appendJSON(buf, place{T: "part", S: channel})
		}
	}
	return buf
}

// resubscribe makes the subscription of a channel that the socket was in; nil where it is in it no more.
func (h *Hub) resubscribe(s *Socket, channel string, at positions) (*subscription, error) {
	ctx := h.call()
	sub := h.subscribe(s, channel)
	c, err := h.log.Channel(ctx, channel)
	if err != nil || c == nil {
		h.unsubscribe(sub)
		return nil, err
	}
	member, ok := c.Member(s.id)
	if !ok {
		h.unsubscribe(sub)
		return nil, nil
	}
	s.outbox.mu.Lock() // the channel's feed knows the subscription already
	defer s.outbox.mu.Unlock()
	sub.seat, sub.grown, sub.resuming = member.Seat, true, true
	joined := stream.Position{Epoch: c.Top.Epoch, Number: member.Since - 1}
	sub.at, ok = at[channel]
	if !ok || sub.at.Epoch == joined.Epoch && sub.at.Number < joined.Number { // the client has not heard of the join
		sub.at, sub.announce = joined, true
	}
	return sub, nil
}

// register makes the socket known to the hub. Of two connections of the same socket the one that has taken it earlier
// is closed.
func (h *Hub) register(s *Socket) {
	h.mu.Lock()
	delete(h.coming, s)
	older := h.sockets[s.id]
	if older != nil && older.lease.Incarnation > s.lease.Incarnation {
		older = s
	} else {
		h.sockets[s.id] = s
	}
	draining, over := h.stopping, h.over
	h.mu.Unlock()
	if older != nil {
		older.failed(stream.ErrFenced)
	}
	if draining {
		s.bye(over)
	}
}
