package memlog

import (
	"hash/maphash"
	"math/bits"
	"sync"

	"github.com/lazysession/session/live/stream"
)

// shardCount is how many parts the log has, with a lock each. What changes who is where locks all of them, which takes
// less than a microsecond; messages lock only the parts that they touch.
const shardCount = 32

// A shard is a part of the log's sockets and channels.
type shard struct {
	mu sync.Mutex
	// mu locks the remaining fields, and all that is in them.
	sockets  map[stream.ID]*socket
	channels map[string]*channel

	_ [64]byte // so that two locks are not in one cache line
}

// A lockset is a set of shards, one bit for each.
type lockset uint32

const everything = ^lockset(0)

// lock locks shards in the order of their numbers, so that no two callers wait for each other. It returns ErrClosed,
// with nothing locked, where the log is closed.
func (l *Log) lock(s lockset) error {
	for rest := s; rest != 0; rest &= rest - 1 {
		l.shards[bits.TrailingZeros32(uint32(rest))].mu.Lock()
	}
	if l.closed {
		l.unlock(s)
		return stream.ErrClosed
	}
	return nil
}

func (l *Log) unlock(s lockset) {
	for ; s != 0; s &= s - 1 {
		l.shards[bits.TrailingZeros32(uint32(s))].mu.Unlock()
	}
}

var seed = maphash.MakeSeed()

// IDs are random, so that any byte of one tells where it belongs.
func shardOfSocket(id stream.ID) int { return int(id[0] % shardCount) }

func shardOfChannel(name string) int { return int(maphash.String(seed, name) % shardCount) }

// shardOf returns where the socket or the channel of a stream belongs.
func shardOf(s stream.Name) int {
	if channel, ok := s.Channel(); ok {
		return shardOfChannel(channel)
	}
	if id, ok := s.Socket(); ok {
		return shardOfSocket(id)
	}
	id, _ := s.Receiver()
	return shardOfSocket(id)
}

// socketLocked returns a socket, or nil.
func (l *Log) socketLocked(id stream.ID) *socket { return l.shards[shardOfSocket(id)].sockets[id] }

// channelLocked returns a channel, or nil.
func (l *Log) channelLocked(name string) *channel {
	return l.shards[shardOfChannel(name)].channels[name]
}

// linesLocked yields every line of messages.
func (l *Log) linesLocked(yield func(*line)) {
	for i := range l.shards {
		for _, s := range l.shards[i].sockets {
			yield(&s.line)
			if s.up != nil {
				yield(s.up)
			}
		}
		for _, c := range l.shards[i].channels {
			yield(&c.line)
		}
	}
}
