package live

const MaxNotices = maxNotices

// Socket returns a socket that the hub has; nil for any other.
func (h *Hub) Socket(id ID) *Socket { return h.socket(id) }

// Feeds returns how many channels the hub follows.
func (h *Hub) Feeds() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.feeds)
}

// Held returns how many sockets, sessions and channels the hub holds.
func (h *Hub) Held() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.sockets) + len(h.sessions) + len(h.feeds)
}

// Hub returns the hub that has the socket.
func (s *Socket) Hub() *Hub { return s.hub }

// Unacked returns how many messages a socket was sent and has not acknowledged.
func (h *Hub) Unacked(id ID) int {
	o := &h.socket(id).outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.unacked)
}

// Count returns how many sockets the hub has, and connections that may become some.
func (h *Hub) Count() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.sockets) + len(h.coming)
}

// Partings returns how many partings the log has not taken yet.
func (h *Hub) Partings() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.partings)
}

// Waiting returns how many tasks and notices wait for a socket's endpoint.
func (h *Hub) Waiting(id ID) int {
	s := h.socket(id)
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	s.inbox.mu.Lock()
	defer s.inbox.mu.Unlock()
	return len(s.inbox.queue) + len(s.outbox.notices)
}
