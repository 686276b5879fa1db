package live

// Socket returns a socket that the hub has; nil for any other.
func (h *Hub) Socket(id ID) *Socket { return h.socket(id) }

// Feeds returns how many channels the hub follows.
func (h *Hub) Feeds() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.feeds)
}

// Count returns how many sockets the hub has, and connections that may become some.
func (h *Hub) Count() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.sockets) + len(h.coming)
}
