package memlog

import (
	"context"
	"fmt"
	"time"

	"github.com/lazysession/session/live/stream"
)

// Read returns messages of a stream after a position. They are not copied. See stream.Log.
func (l *Log) Read(_ context.Context, s stream.Name, after stream.Position, limit int) ([]stream.Message, error) {
	if limit < 1 {
		return nil, fmt.Errorf("memlog: Read of up to %d messages", limit)
	}
	at := lockset(1) << shardOf(s)
	if err := l.lock(at); err != nil {
		return nil, err
	}
	defer l.unlock(at)
	if q := l.lineLocked(s); q != nil {
		return q.read(after, limit, time.Now())
	}
	if after != (stream.Position{}) {
		return nil, &stream.GapError{Stream: s, Why: stream.Reset}
	}
	return nil, nil
}

// lineLocked returns the messages of a stream, or nil where there is no such stream.
func (l *Log) lineLocked(name stream.Name) *line {
	if channel, ok := name.Channel(); ok {
		if c := l.channelLocked(channel); c != nil {
			return &c.line
		}
		return nil
	}
	if id, ok := name.Socket(); ok {
		if s := l.socketLocked(id); s != nil {
			return &s.line
		}
		return nil
	}
	if id, ok := name.Receiver(); ok {
		if s := l.socketLocked(id); s != nil {
			return s.received()
		}
	}
	return nil
}

// received returns what the socket has sent upward, in the epoch of its own stream.
func (s *socket) received() *line {
	up := s.up
	if up == nil {
		up = &line{name: stream.Received(s.info.ID), top: s.info.In}
	}
	up.epoch = s.epoch
	return up
}
