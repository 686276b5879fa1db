// Package memlog keeps live sockets, channels and streams in memory. It is the reference for logs: one process, as many
// hubs as you like, and nothing else to install.
//
//	log, err := memlog.Open(&memlog.Options{Archive: "live.archive"})
//	if err != nil {
//		return err
//	}
//	defer log.Close(context.Background(), true) // after the hubs
//
// # What it keeps
//
// All that is committed is in memory only, so it is gone with the process, unless [Log.Close] is told to keep an
// archive. [Open] goes on from there: with the same numbers, messages, members and state. The sockets are away then,
// and their clients come back as after any lost connection.
//
// An archive can be opened as often as you like, but only the first Open of it can know that nothing was committed
// since. After any other the streams get new epochs, so that readers are told of a reset, and do not get other messages
// under numbers that they know.
//
// # How much it keeps
//
// Each stream keeps what its stream.Retention says, and all together no more than MaxBytes: beyond that the oldest
// messages go first, whichever stream they are in. Readers that still need them are told of a gap.
//
// # Transactions
//
// A channel that a transaction holds can be joined, left and sent to by others; its state can't be changed by them.
// Where the channel goes meanwhile with its last member, and its state with it, the transaction's Commit returns
// stream.ErrDeadlock.
package memlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store"
)

// Options are the settings of a Log. The zero Options are the defaults. They are copied.
type Options struct {
	// Archive is the path of the file that Close with backup writes, and that Open reads. Its folder has to exist. It is
	// replaced as a whole, so that there is always a complete one. Empty: none.
	Archive string

	// Return is how long the sockets of an archive may take to come back after Open. Defaults to 2 minutes.
	Return time.Duration

	// MaxBytes is how many bytes the messages of all streams may take together, with 64 bytes more for each one. Sockets,
	// members and the state of channels are not counted. Defaults to 256 MiB.
	MaxBytes int64

	// Received, unless nil, is how much is kept of the messages that each socket has sent upward. They can be read under
	// stream.Received. By default none are kept.
	Received *stream.Retention
}

func (o *Options) withDefaults() Options {
	if o == nil {
		o = new(Options)
	}
	full := *o
	if full.Return <= 0 {
		full.Return = 2 * time.Minute
	}
	if full.MaxBytes <= 0 {
		full.MaxBytes = 256 << 20
	}
	if full.Received != nil {
		full.Received = new(full.Received.WithDefaults())
	}
	return full
}

// A Log is a stream.Log in memory. All its methods may be called by many goroutines at once. It starts none.
type Log struct {
	opts   Options
	bytes  atomic.Int64 // what all messages take
	shards [shardCount]shard
	holds  holds
	watch  watchers

	sessions sync.Mutex
	// sessions locks the remaining field. It is locked after shards.
	bySession map[store.ID]map[stream.ID]bool

	end    sync.Once
	closed bool          // guarded by any shard: Close sets it with all of them locked
	done   chan struct{} // closed with the log
}

var _ stream.Log = (*Log)(nil)

// New returns an empty log. Nil options are the defaults. An archive that exists is not read, but replaced by Close.
func New(o *Options) *Log {
	l := &Log{opts: o.withDefaults(), bySession: map[store.ID]map[stream.ID]bool{}, done: make(chan struct{})}
	for i := range l.shards {
		l.shards[i].sockets = map[stream.ID]*socket{}
		l.shards[i].channels = map[string]*channel{}
	}
	l.holds.of = map[string]*hold{}
	return l
}

// Open returns a log that goes on from the archive of its options, or an empty log where that file doesn't exist. The
// sockets of the archive are away, and have as long as Options.Return to come back. An archive that is damaged, cut,
// or not an archive of this version is an error.
func Open(o *Options) (*Log, error) {
	l := New(o)
	if l.opts.Archive == "" {
		return l, nil
	}
	if err := l.restore(); err != nil {
		return nil, fmt.Errorf("memlog: archive %q: %w", l.opts.Archive, err)
	}
	return l, nil
}

// Warm does nothing: memory needs no preparation. It returns an error where MaxBytes has no room for such a message.
func (l *Log) Warm(_ context.Context, size int) error {
	if int64(size)+overhead > l.opts.MaxBytes {
		return fmt.Errorf("memlog: a message of %d bytes is more than MaxBytes (%d) keeps", size, l.opts.MaxBytes)
	}
	return l.alive()
}

// Flush does nothing: what was committed is in memory, and a log in memory can do no more.
func (l *Log) Flush(context.Context) error { return l.alive() }

// alive returns ErrClosed where the log is closed.
func (l *Log) alive() error {
	select {
	case <-l.done:
		return stream.ErrClosed
	default:
		return nil
	}
}

var errNoArchive = errors.New("memlog: Close was to keep an archive, but Options.Archive names no file; " +
	"the log is closed without one")

// Close ends the log. With backup it writes the archive, whether ctx is done or not. The log is closed even where that
// is an error, and the archive that was there before stays then.
func (l *Log) Close(_ context.Context, backup bool) (err error) {
	l.end.Do(func() {
		_ = l.lock(everything) // it can't be closed yet
		l.closed = true
		close(l.done)
		l.unlock(everything)
		switch {
		case backup && l.opts.Archive == "":
			err = errNoArchive
		case backup:
			err = l.save()
		}
		if err != nil && backup && l.opts.Archive != "" {
			err = fmt.Errorf("memlog: archive %q: %w", l.opts.Archive, err)
		}
	})
	return err
}
