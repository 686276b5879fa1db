package live

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"github.com/lazysession/session/live/stream"
)

// A feed is the stream of one channel, for all of its members on this node. It reads each message from the log once,
// and builds its frame once.
type feed struct {
	hub     *Hub
	name    stream.Name
	channel string // in JSON

	subs map[*subscription]struct{} // guarded by the hub's mu
	list []*subscription            // subs as a slice, nil after they have changed; guarded by the hub's mu

	reading sync.Mutex
	// reading locks the next fields, and is held while the log is read.
	recent []entry // the newest ones that were read, without holes
	epoch  string  // of recent

	mu sync.Mutex
	// mu locks the remaining fields. It is never held for long, since the log waits for its hints to be taken.
	told    stream.Position // how far the members were told that the stream has grown
	top     stream.Position // how far it has grown
	telling bool            // a goroutine tells the members
	changed chan struct{}   // closed at the next growth; nil while nobody waits
}

// An entry is one message of a stream, ready to be sent.
type entry struct {
	number uint64
	size   int    // of the message alone
	frame  []byte // shared by all that get it
	data   []byte // instead of frame: of a socket's own stream, whose messages go to one
	event  *stream.MemberEvent
}

func (e *entry) appendTo(buf []byte) []byte {
	if e.frame == nil {
		return appendMessage(buf, e.number, e.data, "")
	}
	return append(buf, e.frame...)
}

// keptEntries is how many entries a feed keeps at least, and half of how many at most, for members that are a little
// behind.
const keptEntries = 32

func newFeed(h *Hub, channel string) *feed {
	return &feed{hub: h, name: stream.Of(channel), channel: quote(channel), subs: make(map[*subscription]struct{})}
}

func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can't fail
	}
	return string(text)
}

// after returns up to max entries after a position.
func (f *feed) after(ctx context.Context, at stream.Position, max int) ([]entry, error) {
	f.reading.Lock()
	defer f.reading.Unlock()
	if kept := f.keptAfter(at); len(kept) > 0 {
		return kept[:min(len(kept), max)], nil
	}
	messages, err := f.hub.log.Read(ctx, f.name, at, max)
	if err != nil {
		return nil, err
	}
	entries := make([]entry, len(messages))
	for i, m := range messages {
		entries[i] = f.build(m)
	}
	f.keep(at, entries)
	return entries, nil
}

// keptAfter returns the kept entries after a position, if all of them are kept.
func (f *feed) keptAfter(at stream.Position) []entry {
	if len(f.recent) == 0 || f.epoch != at.Epoch || at.Number+1 < f.recent[0].number {
		return nil
	}
	return f.recent[min(at.Number+1-f.recent[0].number, uint64(len(f.recent))):]
}

func (f *feed) keep(at stream.Position, entries []entry) {
	if len(entries) == 0 {
		return
	}
	follows := f.epoch == at.Epoch && len(f.recent) > 0 && f.recent[len(f.recent)-1].number == at.Number
	switch {
	case follows:
		f.recent = append(f.recent, entries...)
	case f.epoch == at.Epoch && len(f.recent) > 0 && at.Number < f.recent[len(f.recent)-1].number:
		return // somebody is far behind: the newest ones are worth more
	default:
		f.epoch, f.recent = at.Epoch, slices.Clone(entries)
	}
	if len(f.recent) > 2*keptEntries { // not each time, since all of them are copied
		f.recent = slices.Clone(f.recent[len(f.recent)-keptEntries:])
	}
}

func (f *feed) build(m stream.Message) entry {
	e := entry{number: m.Number, size: len(m.Data)}
	if !m.Member {
		e.frame = appendMessage(nil, m.Number, m.Data, f.channel)
		return e
	}
	e.frame = appendMember(nil, m.Number, m.Data, f.channel)
	if event, err := stream.DecodeMemberEvent(m.Data); err == nil {
		e.event = &event
	}
	return e
}

// growth returns a channel that is closed when the stream grows.
func (f *feed) growth() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	return f.changed
}

// grown says that the stream has grown.
func (f *feed) grown(top stream.Position) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
	if f.told.Epoch != top.Epoch {
		f.told = stream.Position{Epoch: top.Epoch, Number: top.Number - min(top.Number, 1)}
		f.top = top
	}
	f.top.Number = max(f.top.Number, top.Number)
	if !f.telling {
		f.telling = f.hub.background(f.tell)
	}
}

// tell offers new entries to all members on this node, as long as there are any.
func (f *feed) tell() {
	for {
		f.mu.Lock()
		told := f.told
		if told.Number >= f.top.Number {
			f.telling = false
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		f.tellAfter(told)
	}
}

// tellAfter offers some of the entries after a position to all members. Where they can't be read, each member finds out
// by itself.
func (f *feed) tellAfter(told stream.Position) {
	const some = 32
	ctx := f.hub.call()
	entries, err := f.after(ctx, told, some)
	readable := err == nil && len(entries) > 0
	if readable {
		told.Number = entries[len(entries)-1].number
	}
	for _, e := range entries {
		for _, sub := range f.members() {
			sub.offer(told.Epoch, e)
		}
	}
	f.mu.Lock()
	if f.told.Epoch == told.Epoch {
		f.told.Number = told.Number
	}
	if !readable {
		f.told = f.top
	}
	f.mu.Unlock()
	if !readable {
		for _, sub := range f.members() {
			sub.grow()
		}
	}
}

// members returns the subscriptions of this node.
func (f *feed) members() []*subscription {
	f.hub.mu.RLock()
	list := f.list
	f.hub.mu.RUnlock()
	if list != nil {
		return list
	}
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	f.list = slices.AppendSeq(make([]*subscription, 0, len(f.subs)), maps.Keys(f.subs))
	return f.list
}
