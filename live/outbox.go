package live

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/lazysession/session/live/stream"
)

// An outbox is what is on its way to a client. It holds no messages: for each stream it knows how far the client got,
// and reads on from the log when the client has acknowledged enough.
//
// At most one goroutine pumps, and only while there is something to write.
type outbox struct {
	s *Socket

	mu sync.Mutex
	// mu locks the remaining fields.
	subs     []*subscription // the first one is the socket's own stream
	control  []byte          // frames that are no messages, to be written next
	unacked  []sent          // in the order of sending
	bytes    int             // of unacked
	moved    time.Time       // when the client last acknowledged something, or had nothing to
	notices  []notice        // of members, for the endpoint
	pumping  bool
	noticing bool // a task of the inbox is to tell them
	corked   bool // a worker is about to pump by itself
	ended    bool // nothing is written any more
	closed   bool // there are no subscriptions any more
}

// A subscription is a stream that a socket gets.
type subscription struct {
	out  *outbox
	feed *feed // nil for the socket's own stream

	// The outbox's mu locks the remaining fields.
	at       stream.Position // how far it was sent
	grown    bool            // there may be more
	top      uint64          // of the socket's own stream: how far it is known to have grown
	announce bool            // the client is to be told of the channel first
	seat     string          // for the announcement
	resuming bool            // nothing was read yet since the connection was made
	later    stretch         // what the endpoint is told of after the notices
}

// A sent is a message that the client has not acknowledged.
type sent struct {
	sub    *subscription
	number uint64
	size   int
}

// say queues frames that are no messages.
func (o *outbox) say(appendTo func([]byte) []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.ended {
		o.control = appendTo(o.control)
		o.wakeLocked()
	}
}

// wakeLocked sees to it that somebody pumps.
func (o *outbox) wakeLocked() {
	if o.pumping || o.corked || o.ended {
		return
	}
	o.pumping = true
	o.s.hub.closing.Go(o.pump)
}

// cork keeps the outbox from being pumped by others while a handler works. uncork pumps what has come meanwhile.
func (o *outbox) cork() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.corked = true
}

func (o *outbox) uncork() {
	o.mu.Lock()
	o.corked = false
	mine := !o.pumping && !o.ended
	o.pumping = o.pumping || mine
	o.mu.Unlock()
	if mine {
		o.pump()
	}
}

// uncorkNow lets others pump while a handler goes on.
func (o *outbox) uncorkNow() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.corked {
		o.corked = false
		o.wakeLocked()
	}
}

// grow says that a stream has grown.
func (sub *subscription) grow() {
	o := sub.out
	o.mu.Lock()
	defer o.mu.Unlock()
	sub.grown = true
	if o.quotaLocked() > 0 {
		o.wakeLocked()
	}
}

// offer writes a new entry at once where the client has everything before it and the kernel takes it. So a message to
// thousands needs neither a goroutine nor memory for each. All else is left to the one that pumps.
func (sub *subscription) offer(epoch string, e entry) {
	o := sub.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if sub.at.Epoch == epoch && sub.at.Number >= e.number {
		return
	}
	next := sub.at.Epoch == epoch && sub.at.Number+1 == e.number
	idle := !o.pumping && !o.corked && !o.ended && len(o.control) == 0 && !sub.announce
	begun, debt := false, false
	if next && idle && e.event == nil && o.quotaLocked() > 0 {
		begun, debt = o.s.link.conn.tryWrite(e.frame)
	}
	if !begun {
		sub.grown = true
		if o.quotaLocked() > 0 {
			o.wakeLocked()
		}
		return
	}
	sub.at.Number, sub.grown = e.number, false
	o.noteLocked(sent{sub: sub, number: e.number, size: e.size})
	if debt {
		o.wakeLocked()
	}
}

// ownGrown says that the socket's own stream has grown to a number. It reports false where this node knew that: the
// hint then tells of something else, that another node has taken the socket, say.
func (o *outbox) ownGrown(top uint64) bool {
	o.mu.Lock()
	own := o.subs[0]
	known := top <= own.top
	own.top = max(own.top, top)
	o.mu.Unlock()
	own.grow()
	return !known
}

// quotaLocked returns how many messages may be sent now.
func (o *outbox) quotaLocked() int {
	if o.bytes >= o.s.hub.cfg.MaxDownBytes {
		return 0
	}
	return o.s.hub.cfg.MaxDown - len(o.unacked)
}

// pump writes until there is nothing to write, or the client has to acknowledge first.
func (o *outbox) pump() {
	buf := getBuf()
	defer func() { putBuf(buf) }()
	err := o.s.link.conn.flush()
	for err == nil {
		buf = o.fill(buf[:0])
		if len(buf) == 0 {
			return
		}
		_, err = o.s.link.conn.Write(buf)
	}
	o.stop()
	o.s.broken()
}

// fill appends what is to be written next. Where there is nothing, pumping has ended.
func (o *outbox) fill(buf []byte) []byte {
	const enough = 64 << 10
	for len(buf) < enough {
		r, ok := o.plan(&buf)
		if !ok {
			break
		}
		entries, err := r.sub.read(r.after, r.max)
		buf = o.deliver(buf, r, entries, err)
	}
	return buf
}

// A reading is a part of a stream that is to be read.
type reading struct {
	sub   *subscription
	after stream.Position
	max   int
}

// plan appends the frames that are no messages, and returns what to read.
func (o *outbox) plan(buf *[]byte) (r reading, ok bool) {
	const (
		most  = 32
		small = 64 // bytes, which take acknowledgements and signs of life
	)
	o.mu.Lock()
	defer o.mu.Unlock()
	*buf = append(*buf, o.control...)
	if o.control = o.control[:0]; cap(o.control) > small {
		o.control = nil
	}
	sub := o.behindLocked()
	if sub == nil {
		o.pumping = o.pumping && len(*buf) > 0
		return reading{}, false
	}
	if sub.announce {
		*buf = appendJSON(*buf, place{T: "join", S: sub.channelName(), At: &sub.at, Seat: &sub.seat})
		sub.announce = false
	}
	sub.grown = false
	return reading{sub: sub, after: sub.at, max: min(o.quotaLocked(), most)}, true
}

// stop ends the writing.
func (o *outbox) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended, o.pumping, o.control, o.unacked = true, false, nil, nil
}

// close ends the writing for good, and returns the subscriptions.
func (o *outbox) close() []*subscription {
	o.stop()
	o.mu.Lock()
	defer o.mu.Unlock()
	subs := o.subs
	o.subs, o.closed = subs[:min(len(subs), 1)], true
	return subs
}

// behindLocked returns a stream that has something to send.
func (o *outbox) behindLocked() *subscription {
	if o.ended || o.quotaLocked() <= 0 {
		return nil
	}
	for _, sub := range o.subs {
		if sub.grown || sub.announce {
			return sub
		}
	}
	return nil
}

// read returns what follows a position of the stream.
func (sub *subscription) read(at stream.Position, max int) ([]entry, error) {
	hub := sub.out.s.hub
	ctx := hub.call()
	if sub.feed != nil {
		entries, err := sub.feed.after(ctx, at, max)
		if errors.Is(err, stream.ErrGap) {
			err = sub.checkMember(ctx, err)
		}
		return entries, err
	}
	messages, err := hub.log.Read(ctx, stream.Own(sub.out.s.id), at, max)
	if len(messages) == 0 {
		return nil, err
	}
	entries := make([]entry, len(messages))
	for i, m := range messages {
		entries[i] = entry{number: m.Number, size: len(m.Data), data: m.Data}
	}
	return entries, nil
}

// checkMember returns ErrNotMember in the place of a gap where the socket is in the channel no more: what has told of
// that is in the gap, too.
func (sub *subscription) checkMember(ctx context.Context, gap error) error {
	s := sub.out.s
	c, err := s.hub.log.Channel(ctx, sub.channelName())
	if err != nil {
		return err
	}
	if c != nil {
		if _, ok := c.Member(s.id); ok {
			return gap
		}
	}
	return stream.ErrNotMember
}

// deliver appends what was read of a stream, and notes it as sent.
func (o *outbox) deliver(buf []byte, r reading, entries []entry, err error) []byte {
	gap, isGap := errors.AsType[*stream.GapError](err)
	parted := errors.Is(err, stream.ErrNotMember)
	if err != nil && !isGap && !parted {
		o.s.failed(err)
		return buf
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	sub := r.sub
	switch {
	case !slices.Contains(o.subs, sub): // it ended while it was read
		return buf
	case parted:
		return o.partLocked(buf, sub)
	case isGap:
		return o.skipLocked(buf, sub, gap)
	}
	sub.resuming = false
	sub.grown = sub.grown || len(entries) == r.max
	for _, e := range entries {
		if o.quotaLocked() <= 0 { // the rest is read again after an acknowledgement
			sub.grown = true
			break
		}
		buf = e.appendTo(buf)
		sub.at.Number = e.number
		o.noteLocked(sent{sub: sub, number: e.number, size: e.size})
		if e.event == nil {
			continue
		}
		o.noticeLocked(sub, e)
		if e.event.Event == stream.Left && e.event.Socket == o.s.id {
			return o.partLocked(buf, sub)
		}
	}
	return buf
}

func (o *outbox) noteLocked(m sent) {
	if len(o.unacked) == 0 {
		o.moved = time.Now()
	}
	o.unacked = append(o.unacked, m)
	o.bytes += m.size
	o.s.hub.counters.out.Add(1)
	o.s.hub.counters.bytesOut.Add(uint64(m.size))
}

// skipLocked tells the client of a gap and goes on behind it. Messages that went while the client was connected are
// those that it was too slow for.
func (o *outbox) skipLocked(buf []byte, sub *subscription, gap *stream.GapError) []byte {
	why := string(gap.Why)
	if gap.Why == stream.Old && !sub.resuming {
		why = "behind"
		o.s.hub.counters.behind.Add(1)
	}
	o.s.hub.counters.gaps.Add(1)
	sub.at, sub.grown, sub.resuming = gap.At, true, false
	return appendJSON(buf, place{T: "gap", S: sub.channelName(), At: &gap.At, Why: why})
}

// partLocked ends a subscription.
func (o *outbox) partLocked(buf []byte, sub *subscription) []byte {
	o.subs = slices.DeleteFunc(o.subs, func(other *subscription) bool { return other == sub })
	o.forgetLocked(func(m sent) bool { return m.sub == sub })
	o.s.hub.closing.Go(func() { o.s.hub.unsubscribe(sub) }) // which takes the hub's lock
	return appendJSON(buf, place{T: "part", S: sub.channelName()})
}

// acknowledged notes how far the client got, and goes on with what has waited for it.
func (o *outbox) acknowledged(f frame) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if f.number > 0 {
		o.forgetUpToLocked(string(f.data), f.number)
	}
	for channel, number := range f.acked {
		o.forgetUpToLocked(channel, number)
	}
	if o.behindLocked() != nil {
		o.wakeLocked()
	}
}

func (o *outbox) forgetUpToLocked(channel string, number uint64) {
	sub := o.findLocked(channel)
	o.forgetLocked(func(m sent) bool { return m.sub == sub && m.number <= number })
}

// forgetLocked removes messages from unacked.
func (o *outbox) forgetLocked(done func(m sent) bool) {
	before := len(o.unacked)
	o.unacked = slices.DeleteFunc(o.unacked, func(m sent) bool {
		if !done(m) {
			return false
		}
		o.bytes -= m.size
		return true
	})
	if len(o.unacked) < before {
		o.moved = time.Now()
	}
}

// rest frees what a socket that is idle needs no memory for. It is called from time to time, since one that gets a
// message every now and then would else allocate for each.
func (o *outbox) rest() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.unacked) == 0 {
		o.unacked = nil
	}
	if len(o.control) == 0 {
		o.control = nil
	}
}

// stalled reports whether the client has acknowledged nothing since a time, although there was something to.
func (o *outbox) stalled(since time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.unacked) > 0 && o.moved.Before(since)
}

func (o *outbox) findLocked(channel string) *subscription {
	for _, sub := range o.subs {
		if sub.channelName() == channel {
			return sub
		}
	}
	return nil
}

// find returns the subscription of a channel.
func (o *outbox) find(channel string) *subscription {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.findLocked(channel)
}

// mayJoin returns why the socket can't join a channel.
func (o *outbox) mayJoin(channel, seat string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	sub, channels := o.findLocked(channel), len(o.subs)-1
	switch {
	case sub != nil && sub.seat != seat:
		return fmt.Errorf("live: the socket has the seat %q in channel %q already", sub.seat, channel)
	case sub == nil && channels >= o.s.hub.cfg.MaxChannels:
		return fmt.Errorf("live: the socket is in %d channels already", channels)
	}
	return nil
}

// begin starts the subscription of a channel that the socket has joined, in the place of an older one: the socket has
// lost its seat meanwhile, and the client was not told yet. It reports false where the connection has ended.
func (o *outbox) begin(sub *subscription, at stream.Position, seat string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	if older := o.findLocked(sub.channelName()); older != nil {
		o.control = o.partLocked(o.control, older)
	}
	sub.at, sub.seat, sub.announce, sub.grown = at, seat, true, true
	o.subs = append(o.subs, sub)
	o.wakeLocked()
	return true
}

// leave ends the subscription of a channel that the socket has left, unless it has ended already.
func (o *outbox) leave(sub *subscription) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if slices.Contains(o.subs, sub) {
		o.control = o.partLocked(o.control, sub)
		o.wakeLocked()
	}
}

// channelName returns the name that the client knows the stream by.
func (sub *subscription) channelName() string {
	if sub.feed == nil {
		return ""
	}
	name, _ := sub.feed.name.Channel()
	return name
}

var bufs = sync.Pool{New: func() any { return new([]byte) }}

func getBuf() []byte { return (*bufs.Get().(*[]byte))[:0] }

// putBuf gives a buffer back, unless it has become a giant.
func putBuf(buf []byte) {
	if cap(buf) <= 128<<10 {
		bufs.Put(&buf)
	}
}
