package memlog

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store"
)

// A socket is what the log keeps of one: what is known of it, and its own stream. The slices in info are never changed,
// but replaced, so that copies of info are snapshots.
type socket struct {
	line
	info stream.Socket // but for Out, which the line knows
	up   *line         // what it has sent upward; nil where that isn't kept
}

// snapshot returns the socket as callers get it.
func (s *socket) snapshot() *stream.Socket {
	info := s.info
	info.Out = s.position()
	return &info
}

// overdue reports whether the socket did not come back in time.
func (s *socket) overdue(now time.Time) bool {
	return !s.info.AwayUntil.IsZero() && !now.Before(s.info.AwayUntil)
}

// joined and left keep the list of the socket's channels.
func (s *socket) joined(channel string) {
	s.info.Channels = append(slices.Clip(s.info.Channels), channel)
}

func (s *socket) left(channel string) {
	s.info.Channels = slices.DeleteFunc(slices.Clone(s.info.Channels), func(c string) bool { return c == channel })
}

// Take gives a socket to the caller. See stream.Log.
func (l *Log) Take(_ context.Context, c *stream.Claim) (*stream.Socket, error) {
	if c.New {
		return l.takeNew(c)
	}
	if err := l.lock(everything); err != nil {
		return nil, err
	}
	st := step{l: l, now: time.Now()}
	s, err := st.take(c)
	l.unlock(everything)
	st.tell()
	return s, err
}

var errZeroID = errors.New("memlog: a new socket needs an ID")

func (l *Log) takeNew(c *stream.Claim) (*stream.Socket, error) {
	if c.ID.IsZero() {
		return nil, errZeroID
	}
	at := lockset(1) << shardOfSocket(c.ID)
	if err := l.lock(at); err != nil {
		return nil, err
	}
	defer l.unlock(at)
	if l.socketLocked(c.ID) != nil {
		return nil, stream.ErrTaken
	}
	s := l.newSocketLocked(stream.Socket{
		ID: c.ID, Incarnation: 1, Session: c.Session, Owner: c.Owner, Node: c.Node, Endpoint: c.Endpoint,
		Created: time.Now(),
	})
	return s.snapshot(), nil
}

// newSocketLocked adds a socket to the log.
func (l *Log) newSocketLocked(info stream.Socket) *socket {
	s := &socket{line: newLine(stream.Own(info.ID), &l.bytes, stream.Retention{}), info: info}
	if l.opts.Received != nil {
		s.up = new(newLine(stream.Received(info.ID), &l.bytes, *l.opts.Received))
		s.up.top = info.In
	}
	l.addSocketLocked(s)
	return s
}

func (l *Log) addSocketLocked(s *socket) {
	l.bytes.Add(s.weighed())
	l.shards[shardOfSocket(s.info.ID)].sockets[s.info.ID] = s
	l.sessions.Lock()
	defer l.sessions.Unlock()
	if l.bySession[s.info.Session] == nil {
		l.bySession[s.info.Session] = map[stream.ID]bool{}
	}
	l.bySession[s.info.Session][s.info.ID] = true
}

// weighed returns what the messages of the socket take.
func (s *socket) weighed() int64 {
	if s.up == nil {
		return s.weight()
	}
	return s.weight() + s.up.weight()
}

// removeSocketLocked removes a socket and its messages.
func (l *Log) removeSocketLocked(s *socket) {
	l.bytes.Add(-s.weighed())
	delete(l.shards[shardOfSocket(s.info.ID)].sockets, s.info.ID)
	l.sessions.Lock()
	defer l.sessions.Unlock()
	of := l.bySession[s.info.Session]
	if delete(of, s.info.ID); len(of) == 0 {
		delete(l.bySession, s.info.Session)
	}
}

// take gives a socket that is there to another node. Everything is locked.
func (st *step) take(c *stream.Claim) (*stream.Socket, error) {
	s := st.l.socketLocked(c.ID)
	switch {
	case s == nil,
		c.Overdue && !s.overdue(st.now),
		!c.Overdue && (c.Session != s.info.Session || c.Endpoint != s.info.Endpoint):
		return nil, stream.ErrNotFound
	}
	s.info.Incarnation++
	s.info.Node = c.Node
	if !c.Overdue {
		s.info.Owner, s.info.AwayUntil = c.Owner, time.Time{}
		for _, name := range s.info.Channels {
			ch := st.l.channelLocked(name)
			st.append(ch, ch.is.Back(c.ID))
		}
	}
	st.hint(s.name, s.position()) // for the node that had it
	return s.snapshot(), nil
}

// Sockets yields the sockets that match the filter. It is quick for a socket, a session or a channel; for an owner it
// looks at all of them. See stream.Log.
func (l *Log) Sockets(_ context.Context, f stream.Filter) iter.Seq2[*stream.Socket, error] {
	return func(yield func(*stream.Socket, error) bool) {
		for i, ids := range l.where(f) {
			if ids != nil && len(ids) == 0 {
				continue
			}
			found, err := l.matching(i, ids, f)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, s := range found {
				if !yield(s, nil) {
					return
				}
			}
		}
	}
}

// where returns for each shard which of its sockets may match; nil stands for all.
func (l *Log) where(f stream.Filter) (at [shardCount][]stream.ID) {
	var ids []stream.ID
	switch {
	case !f.ID.IsZero():
		ids = []stream.ID{f.ID}
	case !f.Session.IsZero():
		ids = l.ofSession(f.Session)
	case f.Channel != "":
		ids = l.ofChannel(f.Channel)
	default:
		return at
	}
	for i := range at {
		at[i] = []stream.ID{}
	}
	for _, id := range ids {
		i := shardOfSocket(id)
		at[i] = append(at[i], id)
	}
	return at
}

func (l *Log) ofSession(id store.ID) (ids []stream.ID) {
	l.sessions.Lock()
	defer l.sessions.Unlock()
	for socket := range l.bySession[id] {
		ids = append(ids, socket)
	}
	return ids
}

func (l *Log) ofChannel(name string) (ids []stream.ID) {
	at := lockset(1) << shardOfChannel(name)
	if l.lock(at) != nil {
		return nil
	}
	defer l.unlock(at)
	if c := l.channelLocked(name); c != nil {
		for _, m := range c.is.Members {
			ids = append(ids, m.Socket)
		}
	}
	return ids
}

// matching returns the sockets of a shard that match, of those with these IDs; nil stands for all.
func (l *Log) matching(i int, ids []stream.ID, f stream.Filter) (found []*stream.Socket, err error) {
	at := lockset(1) << i
	if err := l.lock(at); err != nil {
		return nil, err
	}
	defer l.unlock(at)
	look := func(s *socket) {
		if s != nil && f.Matches(&s.info) {
			found = append(found, s.snapshot())
		}
	}
	for _, id := range ids {
		look(l.shards[i].sockets[id])
	}
	if ids == nil {
		for _, s := range l.shards[i].sockets {
			look(s)
		}
	}
	return found, nil
}

// Overdue returns sockets that did not come back in time. See stream.Log.
func (l *Log) Overdue(_ context.Context, limit int) (late []*stream.Socket, err error) {
	now := time.Now()
	for i := 0; i < shardCount && len(late) < limit; i++ {
		at := lockset(1) << i
		if err := l.lock(at); err != nil {
			return nil, err
		}
		for _, s := range l.shards[i].sockets {
			if len(late) < limit && s.overdue(now) {
				late = append(late, s.snapshot())
			}
		}
		l.unlock(at)
	}
	return late, nil
}
