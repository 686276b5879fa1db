package session

import (
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/lazysession/session/store"
)

// An Event is something that happened to a session: its Kind, the session's ID and Owner, and for Ended the Reason.
type Event = store.Event

// The kinds of events.
const (
	EventCreated = store.Created // a session came to be
	EventRenewed = store.Renewed // its token was replaced
	EventEnded   = store.Ended   // it is gone, for the event's Reason
	EventMissed  = store.Missed  // events may be lost: what is in the store counts
)

// A Reason is why a session ended.
type Reason = store.Reason

// The reasons for which sessions end.
const (
	LoggedOut = store.LoggedOut // by its own visitor: Session.End
	Revoked   = store.Revoked   // by Manager.End or Manager.EndOwner
	Evicted   = store.Evicted   // to make room: Config.MaxPerOwner, or the store's limit
	Expired   = store.Expired   // its idle timeout or its lifetime had passed
)

// A hub hands events to subscribers, each in its own goroutine with a bounded queue, so that none of them can hold up a
// commit or another subscriber.
type hub struct {
	log *slog.Logger

	mu sync.RWMutex
	// mu locks the remaining fields.
	subs   []*subscriber
	closed bool
}

// queueLen is how many events a subscriber may be behind before it loses some.
const queueLen = 1024

func (h *hub) subscribe(f func(Event)) (cancel func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return func() {}
	}
	s := newSubscriber(f, h.log)
	h.subs = append(h.subs, s)
	go s.run()
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.subs = slices.DeleteFunc(h.subs, func(other *subscriber) bool { return other == s })
		s.cancel()
	}
}

// tell queues an event for every subscriber. It never waits for one.
func (h *hub) tell(e Event) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, s := range h.subs {
		s.enqueue(e)
	}
}

// close ends all subscriptions, and waits for those whose function isn't at work.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, s := range h.subs {
		if idle := s.cancel(); idle {
			<-s.done
		}
	}
	h.subs = nil
}

// A subscriber calls one function with its events, in order.
type subscriber struct {
	f    func(Event)
	log  *slog.Logger
	done chan struct{} // closed when run returns

	mu sync.Mutex
	// mu locks the remaining fields.
	wake      sync.Cond
	queue     []Event
	cancelled bool
	calling   bool // f is at work
}

func newSubscriber(f func(Event), log *slog.Logger) *subscriber {
	s := &subscriber{f: f, log: log, done: make(chan struct{})}
	s.wake.L = &s.mu
	return s
}

// enqueue adds an event. Where the queue is full, the event is dropped and its last place says so.
func (s *subscriber) enqueue(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch n := len(s.queue); {
	case n < queueLen:
		s.queue = append(s.queue, e)
	case s.queue[n-1].Kind != EventMissed:
		s.queue = append(s.queue, Event{Kind: EventMissed})
	}
	s.wake.Signal()
}

// cancel sees to it that f is not called again. It is idle where f isn't at work, so that run is about to return.
func (s *subscriber) cancel() (idle bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancelled = true
	s.queue = nil
	s.wake.Signal()
	return !s.calling
}

func (s *subscriber) run() {
	defer close(s.done)
	for {
		batch, ok := s.next()
		if !ok {
			return
		}
		for _, e := range batch {
			s.call(e)
		}
	}
}

// next waits for events and takes them all.
func (s *subscriber) next() (batch []Event, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 && !s.cancelled {
		s.wake.Wait()
	}
	batch, s.queue = s.queue, nil
	return batch, !s.cancelled
}

// call passes an event to the function, unless it was cancelled meanwhile, and survives its panic.
func (s *subscriber) call(e Event) {
	if !s.beginCall() {
		return
	}
	defer s.endCall()
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("session: a subscriber panicked", slog.Any("panic", p), slog.String("event", e.Kind.String()),
				slog.String("stack", string(debug.Stack())))
		}
	}()
	s.f(e)
}

func (s *subscriber) beginCall() (ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calling = !s.cancelled
	return s.calling
}

func (s *subscriber) endCall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calling = false
}
