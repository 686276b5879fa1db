package pglog

import (
	"crypto/rand"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/lazysession/session/live/stream"
)

// A state is what the database has of the sockets and channels that a group of requests is about. All of it is locked.
type state struct {
	now      time.Time // by the database's clock
	turn     int64     // of the tables of messages
	sockets  map[stream.ID]*socket
	channels map[string]*channel
	in       map[stream.ID][]string // the channels of sockets, in the order of joining, where a request needs them
}

// A line is a stream: its newest number, and what is kept.
type line struct {
	sid   int64
	epoch string
	top   uint64
	keep  stream.Retention
}

func newLine() line {
	return line{sid: newSID(), epoch: newEpoch(), keep: stream.Retention{}.WithDefaults()}
}

// newSID returns a number that no stream has.
func newSID() int64 {
	var b [8]byte
	rand.Read(b[:])
	return int64(binary.LittleEndian.Uint64(b[:]) >> 1)
}

// newEpoch returns an epoch that no stream has had.
func newEpoch() string { return rand.Text()[:10] }

func (q *line) position() stream.Position { return stream.Position{Epoch: q.epoch, Number: q.top} }

// A socket is a row. Its info has neither Out nor Channels.
type socket struct {
	line
	info stream.Socket
	gone bool // it has left for good
}

// A channel is a row, with its members where a request needs them. One with a sid of 0 has been removed.
type channel struct {
	line
	is     stream.Channel
	stored bool            // there is a row
	loaded bool            // its members are known
	was    []stream.Member // as they are stored
}

// empty reports whether the channel is known to have no members.
func (c *channel) empty() bool { return c.loaded && len(c.is.Members) == 0 }

// A message is to be stored.
type message struct {
	sid    int64
	number uint64
	member bool
	data   []byte
}

// A cut removes the messages of a stream above a number.
type cut struct {
	sid   int64
	above uint64
}

// A change is what one request, or a group of them, does to a state: copies of what has changed, and what is new.
type change struct {
	sockets  map[stream.ID]*socket
	channels map[string]*channel
	messages []message
	cuts     []cut
}

func newChange() *change {
	return &change{sockets: map[stream.ID]*socket{}, channels: map[string]*channel{}}
}

// add makes a later change part of c.
func (c *change) add(d *change) {
	maps.Copy(c.sockets, d.sockets)
	maps.Copy(c.channels, d.channels)
	c.messages = append(c.messages, d.messages...)
	c.cuts = append(c.cuts, d.cuts...)
}

// take makes a change part of the state.
func (st *state) take(c *change) {
	maps.Copy(st.sockets, c.sockets)
	maps.Copy(st.channels, c.channels)
}

// hints returns how far streams have grown, the ones of sockets and channels that are still there.
func (c *change) hints() (all hints) {
	grown := map[int64]bool{}
	for _, m := range c.messages {
		grown[m.sid] = true
	}
	for id, s := range c.sockets {
		if grown[s.sid] && !s.gone {
			all = append(all, hint{stream.Own(id), s.position()})
		}
	}
	for name, ch := range c.channels {
		if grown[ch.sid] && !ch.empty() {
			all = append(all, hint{stream.Of(name), ch.position()})
		}
	}
	return all
}

// named returns a map's keys in order.
func named[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
