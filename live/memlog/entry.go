package memlog

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store"
)

// An entry is one line of an archive: a socket or a channel. Texts of programs are bytes there, since JSON's strings
// hold valid UTF-8 only.
type entry struct {
	Socket  *socketEntry  `json:"socket,omitempty"`
	Channel *channelEntry `json:"channel,omitempty"`
}

type socketEntry struct {
	ID          stream.ID  `json:"id"`
	Incarnation uint64     `json:"incarnation"`
	Session     store.ID   `json:"session"`
	Owner       []byte     `json:"owner,omitempty"`
	Node        []byte     `json:"node,omitempty"`
	Endpoint    []byte     `json:"endpoint,omitempty"`
	Created     time.Time  `json:"created"`
	Welcomed    bool       `json:"welcomed,omitempty"`
	In          uint64     `json:"in"`
	Channels    [][]byte   `json:"channels,omitempty"`
	Own         lineEntry  `json:"own"`
	Up          *lineEntry `json:"up,omitempty"`
}

type channelEntry struct {
	Name    []byte        `json:"name"`
	Members []memberEntry `json:"members"`
	State   [][2][]byte   `json:"state,omitempty"`
	Stream  lineEntry     `json:"stream"`
}

type memberEntry struct {
	Socket  stream.ID `json:"socket"`
	Session store.ID  `json:"session"`
	Owner   []byte    `json:"owner,omitempty"`
	Seat    []byte    `json:"seat,omitempty"`
	Since   uint64    `json:"since"`
}

// A lineEntry is a stream. Its messages have the numbers up to Top.
type lineEntry struct {
	Epoch    string           `json:"epoch"`
	Top      uint64           `json:"top"`
	Keep     stream.Retention `json:"keep"`
	Messages []messageEntry   `json:"messages,omitempty"`
}

type messageEntry struct {
	Time   time.Time `json:"time"`
	Member bool      `json:"member,omitempty"`
	Data   []byte    `json:"data"`
}

func archivedSocket(s *socket) *socketEntry {
	e := &socketEntry{
		ID: s.info.ID, Incarnation: s.info.Incarnation, Session: s.info.Session, Owner: []byte(s.info.Owner),
		Node: []byte(s.info.Node), Endpoint: []byte(s.info.Endpoint), Created: s.info.Created,
		Welcomed: s.info.Welcomed, In: s.info.In, Own: archivedLine(&s.line),
	}
	for _, name := range s.info.Channels {
		e.Channels = append(e.Channels, []byte(name))
	}
	if s.up != nil {
		e.Up = new(archivedLine(s.up))
	}
	return e
}

func archivedChannel(c *channel) *channelEntry {
	e := &channelEntry{Name: []byte(c.is.Name), Stream: archivedLine(&c.line)}
	for _, m := range c.is.Members {
		e.Members = append(e.Members, memberEntry{
			Socket: m.Socket, Session: m.Session, Owner: []byte(m.Owner), Seat: []byte(m.Seat), Since: m.Since,
		})
	}
	for name, doc := range c.is.State.All() {
		e.State = append(e.State, [2][]byte{[]byte(name), []byte(doc)})
	}
	return e
}

func archivedLine(q *line) lineEntry {
	e := lineEntry{Epoch: q.epoch, Top: q.top, Keep: q.keep}
	for _, m := range q.buf[q.first:] {
		e.Messages = append(e.Messages, messageEntry{Time: m.Time, Member: m.Member, Data: m.Data})
	}
	return e
}

// load makes what the entries say. The log is new, and nobody else uses it.
func (l *Log) load(entries []entry) error {
	until := time.Now().Add(l.opts.Return)
	for _, e := range entries {
		var err error
		switch {
		case e.Socket != nil && e.Channel == nil:
			err = l.loadSocket(e.Socket, until)
		case e.Channel != nil && e.Socket == nil:
			err = l.loadChannel(e.Channel)
		default:
			err = errors.New("an entry is neither a socket nor a channel")
		}
		if err != nil {
			return err
		}
	}
	return l.check()
}

func (l *Log) loadSocket(e *socketEntry, until time.Time) error {
	if e.ID.IsZero() || l.socketLocked(e.ID) != nil {
		return fmt.Errorf("socket %v is there twice, or has no ID", e.ID)
	}
	if e.Incarnation == 0 || e.Incarnation == math.MaxUint64 {
		return fmt.Errorf("socket %v has the incarnation %d", e.ID, e.Incarnation)
	}
	s := l.newSocketLocked(stream.Socket{
		ID: e.ID, Incarnation: e.Incarnation, Session: e.Session, Owner: string(e.Owner), Node: string(e.Node),
		Endpoint: string(e.Endpoint), Created: e.Created, Welcomed: e.Welcomed, In: e.In, AwayUntil: until,
	})
	for _, name := range e.Channels {
		s.joined(string(name))
	}
	if err := s.line.load(&e.Own); err != nil {
		return fmt.Errorf("socket %v: %w", e.ID, err)
	}
	if s.up == nil || e.Up == nil {
		return nil
	}
	if e.Up.Top != e.In {
		return fmt.Errorf("socket %v: its messages end at %d, and it has received %d", e.ID, e.Up.Top, e.In)
	}
	keep := s.up.keep
	err := s.up.load(e.Up)
	s.up.keep = keep // the options may have changed
	return err
}

func (l *Log) loadChannel(e *channelEntry) error {
	name := string(e.Name)
	if l.channelLocked(name) != nil || len(e.Members) == 0 {
		return fmt.Errorf("channel %q is there twice, or has no members", name)
	}
	c := l.newChannelLocked(name)
	for _, m := range e.Members {
		c.is.Members = append(c.is.Members, stream.Member{
			Socket: m.Socket, Session: m.Session, Owner: string(m.Owner), Seat: string(m.Seat), Since: m.Since, Away: true,
		})
	}
	var state []store.Value
	for _, v := range e.State {
		state = append(state, store.Value{Name: string(v[0]), JSON: string(v[1])})
	}
	c.is.State = store.MakeValues(state)
	if err := c.line.load(&e.Stream); err != nil {
		return fmt.Errorf("channel %q: %w", name, err)
	}
	return nil
}

// load makes the line what the entry says.
func (q *line) load(e *lineEntry) error {
	if e.Epoch == "" || e.Top < uint64(len(e.Messages)) || e.Top == math.MaxUint64 {
		return fmt.Errorf("a stream of %d messages ends at %d, in epoch %q", len(e.Messages), e.Top, e.Epoch)
	}
	q.weigh(func() {
		q.epoch, q.top, q.keep = e.Epoch, e.Top-uint64(len(e.Messages)), e.Keep.WithDefaults()
		for _, m := range e.Messages {
			q.top++
			q.buf = append(q.buf, stream.Message{Number: q.top, Time: m.Time, Member: m.Member, Data: m.Data})
			q.bytes += len(m.Data)
		}
	})
	return nil
}

// check tests that sockets and channels agree on who is where.
func (l *Log) check() error {
	members := 0
	for i := range l.shards {
		for name, c := range l.shards[i].channels {
			members += len(c.is.Members)
			for j, m := range c.is.Members {
				if s := l.socketLocked(m.Socket); s == nil || !slices.Contains(s.info.Channels, name) {
					return fmt.Errorf("channel %q has the member %v, which is not in it", name, m.Socket)
				}
				same := func(other stream.Member) bool { return other.Socket == m.Socket }
				if slices.IndexFunc(c.is.Members, same) != j {
					return fmt.Errorf("channel %q has the member %v twice", name, m.Socket)
				}
			}
		}
	}
	for i := range l.shards {
		for _, s := range l.shards[i].sockets {
			members -= len(s.info.Channels)
		}
	}
	if members != 0 {
		return errors.New("a socket is in a channel that doesn't have it")
	}
	return nil
}
