package live

import "sync/atomic"

// Figures are what a hub has done since it was made, and what it has now: on this node. Hub.Sockets and Channel.Members
// tell of the whole farm.
type Figures struct {
	Sockets  int // that this node has now
	Channels int // that have members on this node now

	Entered uint64 // sockets that have come to this node, for the first time or again
	Resumed uint64 // those of them that went on where they were
	Fenced  uint64 // those that another connection has taken, on another node or on this one
	Gaps    uint64 // that clients were told of
	Behind  uint64 // those of them for which a client was too slow

	In, BytesIn   uint64 // messages that clients have sent and that were handled, and the bytes of their data
	Out, BytesOut uint64 // messages and member events that were sent to clients, and the bytes of their data
}

// counters are the totals of Figures.
type counters struct {
	entered, resumed, fenced, gaps, behind atomic.Uint64
	in, bytesIn, out, bytesOut             atomic.Uint64
}

// Figures returns the figures of this node. They are read one by one while the hub works, so they need not be of one
// moment. It stops nobody.
func (h *Hub) Figures() Figures {
	c := &h.counters
	f := Figures{
		Entered: c.entered.Load(), Resumed: c.resumed.Load(), Fenced: c.fenced.Load(), Gaps: c.gaps.Load(),
		Behind: c.behind.Load(), In: c.in.Load(), BytesIn: c.bytesIn.Load(), Out: c.out.Load(), BytesOut: c.bytesOut.Load(),
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	f.Sockets, f.Channels = len(h.sockets), len(h.feeds)
	return f
}
