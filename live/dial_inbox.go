package live

import (
	"errors"
	"maps"

	"github.com/lazysession/session/live/stream"
)

// A clientDelivery is a message or a gap, or a change of the streams that the program does not receive.
type clientDelivery struct {
	stream  string
	at      stream.Position // of the stream after it
	part    bool            // the stream has no position after it
	message *Message
	gap     *GapError
}

// received returns the delivery as Receive does.
func (d clientDelivery) received() (Message, error) {
	if d.gap != nil {
		return Message{}, d.gap
	}
	return *d.message, nil
}

// silent reports whether the program does not receive the delivery.
func (d clientDelivery) silent() bool { return d.message == nil && d.gap == nil }

// A clientPositions is how far each stream has come.
type clientPositions map[string]stream.Position

func (p clientPositions) apply(d clientDelivery) {
	if d.part {
		delete(p, d.stream)
		return
	}
	p[d.stream] = d.at
}

// A clientInbox holds what has arrived and was not received yet.
//
// Where a connection breaks, what still waits counts as never arrived: the next hello tells the positions of what was
// received, and the server sends the rest again. So the server's window bounds how much waits, across all connections.
type clientInbox struct {
	arrived clientPositions  // on this connection
	taken   clientPositions  // of what was received
	waiting []clientDelivery // what lies between
	past    []clientDelivery // of a socket that is no more; received first
	frozen  bool             // the server was told what was taken, and has not answered
	news    map[string]bool  // streams with something that was taken and is not acknowledged
	fresh   int              // how much that is
}

func newClientInbox() clientInbox {
	return clientInbox{arrived: make(clientPositions), taken: make(clientPositions), news: make(map[string]bool)}
}

var errClientHole = errors.New("live: not the next number")

// next puts the message of a number into the inbox. One that has arrived before is left out.
func (b *clientInbox) next(m Message) error {
	at, ok := b.arrived[m.Stream]
	if ok && m.Number <= at.Number {
		return nil
	}
	if !ok || m.Number != at.Number+1 {
		return errClientHole
	}
	at.Number = m.Number
	b.put(clientDelivery{stream: m.Stream, at: at, message: &m})
	return nil
}

func (b *clientInbox) put(d clientDelivery) {
	b.arrived.apply(d)
	b.waiting = append(b.waiting, d)
	b.skip()
}

// skip applies what comes next and is not for the program.
func (b *clientInbox) skip() {
	for len(b.waiting) > 0 && b.waiting[0].silent() {
		b.pop()
	}
}

func (b *clientInbox) pop() clientDelivery {
	d := b.waiting[0]
	b.waiting[0] = clientDelivery{}
	b.waiting = b.waiting[1:]
	b.taken.apply(d)
	if d.message == nil { // the server knows the position
		delete(b.news, d.stream)
		return d
	}
	b.news[d.stream] = true
	b.fresh++
	return d
}

func (b *clientInbox) ready() bool { return len(b.past) > 0 || len(b.waiting) > 0 && !b.frozen }

// take returns what is next to receive.
func (b *clientInbox) take() (d clientDelivery, ok bool) {
	if !b.ready() {
		return clientDelivery{}, false
	}
	if len(b.past) > 0 {
		d, b.past = b.past[0], b.past[1:]
		return d, true
	}
	d = b.pop()
	b.skip()
	return d, true
}

// hello returns the positions that a resume goes on from, which stay the same until thaw. They acknowledge what was
// taken.
func (b *clientInbox) hello() clientPositions {
	b.frozen = true
	b.settled()
	return b.taken
}

// thaw lets the program receive again.
func (b *clientInbox) thaw() { b.frozen = false }

// resume expects again what was not taken.
func (b *clientInbox) resume() {
	b.waiting = nil
	b.arrived = maps.Clone(b.taken)
}

// restart begins with the positions of a new socket. Where there was one before, what waits is received first, and
// then a gap.
func (b *clientInbox) restart(at clientPositions, before bool) {
	if before {
		b.past = append(b.past, b.waiting...)
		b.past = append(b.past, clientDelivery{gap: &GapError{Why: stream.Reset}})
	}
	b.waiting = nil
	b.taken = make(clientPositions, len(at))
	maps.Copy(b.taken, at)
	b.arrived = maps.Clone(b.taken)
}

// acknowledge returns the positions of what is not acknowledged, or nil.
func (b *clientInbox) acknowledge() map[string]uint64 {
	var at map[string]uint64
	for stream := range b.news {
		if at == nil {
			at = make(map[string]uint64, len(b.news))
		}
		at[stream] = b.taken[stream].Number
	}
	b.settled()
	return at
}

// settled says that nothing is left to acknowledge.
func (b *clientInbox) settled() {
	b.news = make(map[string]bool)
	b.fresh = 0
}
