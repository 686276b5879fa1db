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
// Config.Origins is refused, and so is one that sends a cookie and no Origin (CWE-1385). Refusals come as a close code
// after the upgrade, since browsers show scripts nothing else. The request has to be of HTTP/1.1, as browsers and
// proxies make it.
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
	if h.isStopping() {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "This server is about to stop.", http.StatusServiceUnavailable)
		return
	}
	handle, refused := h.examine(r)
	l, err := accept(w, r, h.cfg.MaxMessage)
	if err != nil { // and it is answered
		return
	}
	if l.ws.Subprotocol() != protocol {
		refused = &departure{code: StatusProtocol, reason: "want the subprotocol " + protocol}
	}
	if refused != nil {
		l.close(*refused, func() {})
		return
	}
	s := &Socket{hub: h, endpoint: e, handle: handle, link: l}
	s.outbox.s, s.outbox.corked = s, true
	s.ctx, s.cancel = context.WithCancelCause(service.NewContext(h.ctx, service.FromContext(r.Context())))
	s.heard.Store(time.Now().UnixNano())
	s.beaten.Store(time.Now().UnixNano())
	if !h.begin(s) {
		s.cancel(nil)
		l.close(departure{code: 1012, reason: "restart"}, func() {})
	}
}

func (h *Hub) isStopping() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.stopping
}

// begin starts a socket, unless the hub is about to stop. Hub.Close ends it from here on.
func (h *Hub) begin(s *Socket) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopping {
		return false
	}
	h.here[s] = struct{}{}
	h.handlers.Add(1)
	h.working.Go(s.greet)
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

// enter takes the socket for this node, welcomes the client, and calls Endpoint.Open. It is the socket's first task.
func (h *Hub) enter(s *Socket, f frame) {
	if s.ctx.Err() != nil {
		return
	}
	s.heard.Store(time.Now().UnixNano())
	if d := h.attach(s); d != nil {
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
	h.register(s)
	s.outbox.say(func(buf []byte) []byte {
		buf = appendJSON(buf, welcome{
			T: "welcome", ID: s.id, Resumed: s.resumed, In: record.In, At: at,
			Win: h.cfg.MaxUp, Max: h.cfg.MaxMessage, Beat: int(h.cfg.Beat / time.Second),
		})
		return s.outbox.partFromOthersLocked(buf, f.at)
	})
	s.outbox.uncork()
	s.open()
}

// claim takes the socket that the client comes back with, or a new one where that is not there or is not of this
// session.
func (h *Hub) claim(s *Socket, id ID) (*stream.Socket, error) {
	ctx, cancel := h.call()
	defer cancel()
	c := stream.Claim{
		ID: id, Session: s.handle.ID(), Owner: s.session.owner(), Node: h.cfg.Node, Endpoint: s.endpoint.name,
	}
	if !id.IsZero() {
		record, err := h.log.Take(ctx, &c)
		if err == nil || !isNotFound(err) {
			return record, err
		}
	}
	c.ID, c.New = stream.NewID(), true
	return h.log.Take(ctx, &c)
}

// resume makes the socket's subscriptions, and returns how far the client has got in those that it knows of.
func (h *Hub) resume(s *Socket, record *stream.Socket, at positions) (positions, error) {
	own := &subscription{out: &s.outbox, grown: true, resuming: true, top: record.Out.Number}
	own.at = stream.Position{Epoch: record.Out.Epoch}
	if s.resumed {
		own.at = at[""]
	}
	s.outbox.add(own)
	known := positions{"": own.at}
	for _, channel := range record.Channels {
		sub, err := h.resumeChannel(s, channel, at)
		if err != nil {
			return nil, err
		}
		if sub == nil {
			continue
		}
		s.outbox.add(sub)
		if !sub.announce {
			known[channel] = sub.at
		}
	}
	return known, nil
}

// positions are places in a socket's streams, by the names that the client has for them.
type positions = map[string]stream.Position

// resumeChannel makes the subscription of a channel that the socket is in; nil where it no longer is.
func (h *Hub) resumeChannel(s *Socket, channel string, at positions) (*subscription, error) {
	sub := h.subscribe(s, channel) // before the channel is read, so that no growth is missed
	ctx, cancel := h.call()
	defer cancel()
	c, err := h.log.Channel(ctx, channel)
	var member stream.Member
	isMember := false
	if c != nil {
		member, isMember = c.Member(s.id)
	}
	if err != nil || !isMember {
		h.unsubscribe(sub)
		return nil, err
	}
	sub.seat, sub.grown, sub.resuming = member.Seat, true, true
	known := false
	if sub.at, known = at[channel]; !known { // the client has not heard of the join
		sub.at, sub.announce = stream.Position{Epoch: c.Top.Epoch, Number: member.Since - 1}, true
	}
	return sub, nil
}

// register makes the socket known to the hub. An older connection of the same socket is closed.
func (h *Hub) register(s *Socket) {
	h.mu.Lock()
	old := h.sockets[s.id]
	h.sockets[s.id] = s
	h.mu.Unlock()
	if old != nil {
		old.failed(stream.ErrFenced)
	}
}
