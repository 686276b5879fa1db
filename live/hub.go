package live

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live/stream"
)

// A Hub serves the live sockets of one node. Goroutines may share it.
type Hub struct {
	m      *session.Manager
	log    stream.Log
	sharer stream.Sharer // the log; nil where it shares nothing
	cfg    Config
	states *session.Manager // of the states of channels
	mail   *mailbox

	counters counters

	ctx      context.Context // of everything that the hub does by itself
	cancel   context.CancelFunc
	stops    []func()
	period   atomic.Pointer[period] // of the calls of the log
	working  sync.WaitGroup         // goroutines of the hub
	closing  sync.WaitGroup         // goroutines that write to connections or close them
	handlers count                  // sockets that this node has

	mu sync.RWMutex
	// mu locks the remaining fields.
	endpoints []*served
	sockets   map[ID]*Socket
	feeds     map[string]*feed
	sessions  map[session.ID]*attachment
	coming    map[*Socket]struct{} // connections that are not in sockets yet
	partings  map[ID]*parting      // that the log has not taken yet
	stopping  bool                 // no new sockets
	over      time.Duration        // that Drain was given
	closed    bool                 // no new goroutines
}

// New returns a Hub for the sessions of m that keeps its sockets in l. A nil cfg means the defaults; all mistakes in
// cfg are reported in one error. Both m and l stay the caller's, who closes them after the Hub.
func New(m *session.Manager, l stream.Log, cfg *Config) (*Hub, error) {
	if m == nil || l == nil {
		return nil, errors.New("live: a hub needs a session manager and a log")
	}
	c, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	states, err := session.New(stateStore{}, &session.Config{Logger: c.Logger})
	if err != nil {
		return nil, fmt.Errorf("live: %w", err)
	}
	h := &Hub{
		m: m, log: l, cfg: c, states: states,
		sockets:  make(map[ID]*Socket),
		feeds:    make(map[string]*feed),
		sessions: make(map[session.ID]*attachment),
		coming:   make(map[*Socket]struct{}),
		partings: make(map[ID]*parting),
	}
	h.sharer, _ = l.(stream.Sharer)
	h.ctx, h.cancel = context.WithCancel(context.Background())
	if err := h.prepare(); err != nil {
		h.cancel()
		return nil, errors.Join(err, states.Close())
	}
	h.stops = append(h.stops, l.Watch(h.grown), m.Subscribe(h.sessionEvent))
	h.working.Go(func() { h.eachSecond(h.tick) })
	h.working.Go(func() { h.eachSecond(h.reap) })
	return h, nil
}

// prepare makes the log ready for this node.
func (h *Hub) prepare() (err error) {
	if err := h.log.Warm(h.ctx, h.cfg.MaxMessage); err != nil {
		return fmt.Errorf("live: warming the log: %w", err)
	}
	h.mail, err = h.openMailbox()
	return err
}

// Send sends one JSON document to a socket, wherever it is: from any handler, job or node. When it returns nil, the
// message has its number in the socket's stream. Within Endpoint.Message it is sent when the message is committed. To a
// socket that has left, it goes nowhere.
func (h *Hub) Send(ctx context.Context, socket ID, data []byte) error {
	return h.send(ctx, stream.Op{Kind: stream.Send, Stream: stream.Own(socket), Data: data, Keep: h.cfg.Keep})
}

// A Filter says which sockets to list. The zero Filter matches all; of several fields, all have to match.
type Filter struct {
	Owner   string     // sockets of this owner's sessions
	Session session.ID // sockets of this session
	Channel string     // members of this channel
}

// Info is what is known of a socket, for lists and operators.
type Info struct {
	ID       ID
	Session  session.ID
	Owner    string // of the session, when the socket was last taken
	Node     string // that has it
	Created  time.Time
	Away     bool     // its connection broke, and it may still come back
	In, Out  uint64   // the numbers of the last messages, from the client and to it
	Channels []string // in the order of joining
}

// Sockets yields the sockets of the whole farm that match the filter, in no particular order. The sequence ends after
// an error.
func (h *Hub) Sockets(ctx context.Context, f Filter) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for s, err := range h.log.Sockets(ctx, stream.Filter{Owner: f.Owner, Session: f.Session, Channel: f.Channel}) {
			if err != nil {
				yield(Info{}, err)
				return
			}
			if !s.Session.IsZero() && !yield(infoOf(s), nil) { // a mailbox has no session
				return
			}
		}
	}
}

func infoOf(s *stream.Socket) Info {
	return Info{
		ID: s.ID, Session: s.Session, Owner: s.Owner, Node: s.Node, Created: s.Created,
		Away: !s.AwayUntil.IsZero(), In: s.In, Out: s.Out.Number, Channels: s.Channels,
	}
}

// Disconnect closes the connection of a socket on whichever node it is; with a code that is final, the socket has left
// for good. Reasons have at most 123 bytes. A socket that isn't there is no error.
func (h *Hub) Disconnect(ctx context.Context, socket ID, code StatusCode, reason string) error {
	if err := checkClose(code, reason); err != nil {
		return err
	}
	if s := h.socket(socket); s != nil && s.Close(code, reason) == nil {
		return nil
	}
	return h.mail.sendClose(ctx, order{Socket: socket, Code: code, Reason: reason})
}

// Drain prepares a stop: it takes no new sockets, and asks all clients to come back, on another node, within a time. It
// spreads them over that time, so that the other nodes don't get all of them at once. It returns when all of them are
// gone, or that time is over, or ctx is done.
func (h *Hub) Drain(ctx context.Context, over time.Duration) error {
	h.mu.Lock()
	h.stopping, h.over = true, over
	all := h.allLocked() // the others are told when they enter
	h.mu.Unlock()
	for _, s := range all {
		s.bye(over)
	}
	select {
	case <-h.handlers.gone():
	case <-time.After(over):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// Close closes all connections with 1012, "come back", and waits for the handlers at work. It doesn't close the Manager
// and the log. It may be called more than once.
func (h *Hub) Close() error {
	h.mu.Lock()
	h.stopping, h.closed = true, true
	all := slices.AppendSeq(h.allLocked(), maps.Keys(h.coming))
	h.mu.Unlock()
	for _, s := range all {
		s.end(restart)
	}
	<-h.handlers.gone()
	h.closing.Wait()
	h.cancel()
	h.working.Wait()
	h.settleLast()
	for _, stop := range h.stops {
		stop()
	}
	h.mail.close()
	h.period.Load().cancel() // closing the mailbox was a call
	return h.states.Close()
}

// all returns the sockets of this node.
func (h *Hub) all() []*Socket {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.allLocked()
}

func (h *Hub) allLocked() []*Socket {
	return slices.AppendSeq(make([]*Socket, 0, len(h.sockets)), maps.Values(h.sockets))
}

// background runs f in a goroutine that Close waits for. It reports false where the hub is closed, and f was not run.
func (h *Hub) background(f func()) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if !h.closed {
		h.working.Go(f)
	}
	return !h.closed
}

// backgroundOrNow runs f in a goroutine, or at once where the hub is closed.
func (h *Hub) backgroundOrNow(f func()) {
	if !h.background(f) {
		f()
	}
}

func (h *Hub) socket(id ID) *Socket {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.sockets[id]
}

// grown is told by the log that a stream has grown.
func (h *Hub) grown(name stream.Name, top stream.Position) {
	if channel, ok := name.Channel(); ok {
		h.mu.RLock()
		f := h.feeds[channel]
		h.mu.RUnlock()
		if f != nil {
			f.grown(top)
		}
		return
	}
	id, ok := name.Socket()
	switch {
	case !ok:
	case id == h.mail.id():
		h.mail.wake()
	default:
		if s := h.socket(id); s != nil && !s.outbox.ownGrown(top.Number) {
			h.background(s.checkLease)
		}
	}
}

// subscribe makes a subscription of a channel's stream, which gets the hints of growth from here on.
func (h *Hub) subscribe(s *Socket, channel string) *subscription {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.feeds[channel]
	if f == nil {
		f = newFeed(h, channel)
		h.feeds[channel] = f
	}
	sub := &subscription{out: &s.outbox, feed: f}
	f.subs[sub], f.list = struct{}{}, nil
	return sub
}

// unsubscribe ends a subscription. The last one of a channel takes the feed with it.
func (h *Hub) unsubscribe(sub *subscription) {
	if sub.feed == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(sub.feed.subs, sub)
	sub.feed.list = nil
	if channel, _ := sub.feed.name.Channel(); len(sub.feed.subs) == 0 && h.feeds[channel] == sub.feed {
		delete(h.feeds, channel)
	}
}

func (h *Hub) unsubscribeAll(subs []*subscription) {
	for _, sub := range subs {
		h.unsubscribe(sub)
	}
}

// growth returns a channel that is closed when the stream of a channel grows; nil where the socket doesn't get it.
func (h *Hub) growth(s *Socket, channel string) <-chan struct{} {
	sub := s.outbox.find(channel)
	if sub == nil {
		return nil
	}
	return sub.feed.growth()
}

func (h *Hub) logError(s *Socket, text string, err error) {
	h.cfg.Logger.LogAttrs(h.ctx, slog.LevelError, "live: "+text,
		slog.String("socket", s.id.String()), slog.Any("error", err))
}

// mailboxID returns the ID of a node's mailbox.
func mailboxID(node string) (id ID) {
	sum := sha256.Sum256([]byte("live mailbox of node " + node))
	copy(id[:], sum[:])
	return id
}
