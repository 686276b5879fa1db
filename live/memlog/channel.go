package memlog

import (
	"context"

	"github.com/lazysession/session/live/stream"
)

// A channel is what the log keeps of one: who is in it, and its stream. Only while a batch is applied does it have no
// members.
type channel struct {
	line
	is stream.Channel // but for Top, which the line knows
}

// snapshot returns the channel as callers get it.
func (c *channel) snapshot() *stream.Channel {
	is := c.is
	is.Top = c.position()
	return &is
}

// Channel returns a channel as it is, or nil. See stream.Log.
func (l *Log) Channel(_ context.Context, name string) (*stream.Channel, error) {
	at := lockset(1) << shardOfChannel(name)
	if err := l.lock(at); err != nil {
		return nil, err
	}
	defer l.unlock(at)
	if c := l.channelLocked(name); c != nil {
		return c.snapshot(), nil
	}
	return nil, nil
}

// newChannelLocked adds a channel without members to the log.
func (l *Log) newChannelLocked(name string) *channel {
	c := &channel{
		line: newLine(stream.Of(name), &l.bytes, stream.Retention{}),
		is:   stream.Channel{Name: name},
	}
	l.shards[shardOfChannel(name)].channels[name] = c
	return c
}

// removeChannelLocked removes a channel with its messages and its state.
func (l *Log) removeChannelLocked(c *channel) {
	l.bytes.Add(-c.weight())
	delete(l.shards[shardOfChannel(c.is.Name)].channels, c.is.Name)
}
