package live_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store/mem"
)

var errLog = errors.New("the log is broken")

// A hookedLog is a log that tests can break, or stop, before each of its calls. A hook that returns an error takes the
// place of the call.
type hookedLog struct {
	stream.Log

	mu sync.Mutex
	// mu locks the remaining fields.
	onTake      func(*stream.Claim) error
	onTaken     func(*stream.Claim) // after a Take
	onCommit    func(*stream.Batch) error
	onCommitted func(*stream.Batch) // after a Commit
	onRead      func(stream.Name, stream.Position) error
	onChannel   func(string) error
	onHold      func(string) error
}

// newHooked returns a log in memory with hooks.
func newHooked(t *testing.T) *hookedLog {
	t.Helper()
	l := memlog.New(nil)
	t.Cleanup(func() { l.Close(context.Background(), false) })
	return &hookedLog{Log: l}
}

// hook changes the hooks.
func (l *hookedLog) hook(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

func (l *hookedLog) Take(ctx context.Context, c *stream.Claim) (*stream.Socket, error) {
	l.mu.Lock()
	before, after := l.onTake, l.onTaken
	l.mu.Unlock()
	if before != nil {
		if err := before(c); err != nil {
			return nil, err
		}
	}
	s, err := l.Log.Take(ctx, c)
	if after != nil {
		after(c)
	}
	return s, err
}

func (l *hookedLog) Commit(ctx context.Context, b *stream.Batch) ([]stream.Position, error) {
	l.mu.Lock()
	before, after := l.onCommit, l.onCommitted
	l.mu.Unlock()
	if before != nil {
		if err := before(b); err != nil {
			return nil, err
		}
	}
	at, err := l.Log.Commit(ctx, b)
	if after != nil {
		after(b)
	}
	return at, err
}

func (l *hookedLog) Read(ctx context.Context, s stream.Name, at stream.Position, max int) ([]stream.Message, error) {
	l.mu.Lock()
	before := l.onRead
	l.mu.Unlock()
	if before != nil {
		if err := before(s, at); err != nil {
			return nil, err
		}
	}
	return l.Log.Read(ctx, s, at, max)
}

func (l *hookedLog) Channel(ctx context.Context, name string) (*stream.Channel, error) {
	l.mu.Lock()
	before := l.onChannel
	l.mu.Unlock()
	if before != nil {
		if err := before(name); err != nil {
			return nil, err
		}
	}
	return l.Log.Channel(ctx, name)
}

func (l *hookedLog) Begin(ctx context.Context) (stream.Tx, error) {
	tx, err := l.Log.Begin(ctx)
	return &hookedTx{Tx: tx, l: l}, err
}

// A hookedTx is a transaction of a hookedLog.
type hookedTx struct {
	stream.Tx
	l      *hookedLog
	failed error // of a Hold: it can only be rolled back
}

func (tx *hookedTx) Hold(ctx context.Context, channel string) (*stream.Channel, error) {
	tx.l.mu.Lock()
	before := tx.l.onHold
	tx.l.mu.Unlock()
	if before != nil && tx.failed == nil {
		tx.failed = before(channel)
	}
	if tx.failed != nil {
		return nil, tx.failed
	}
	return tx.Tx.Hold(ctx, channel)
}

func (tx *hookedTx) Commit(ctx context.Context, b *stream.Batch) ([]stream.Position, error) {
	if tx.failed != nil {
		return nil, tx.failed
	}
	return tx.Tx.Commit(ctx, b)
}

// once returns a hook that fails the first time.
func once() func() error {
	var mu sync.Mutex
	failed := false
	return func() error {
		mu.Lock()
		defer mu.Unlock()
		if failed {
			return nil
		}
		failed = true
		return errLog
	}
}

// newHookedSite returns a site on a log with hooks.
func newHookedSite(t *testing.T, e live.Endpoint, cfg *live.Config) (*site, *hookedLog) {
	t.Helper()
	l, s := newHooked(t), mem.New(nil)
	t.Cleanup(func() { s.Close() })
	return newNode(t, s, l, e, cfg), l
}

// newObeyingHooked is newObeying on a log with hooks.
func newObeyingHooked(t *testing.T, rules *live.Rules, cfg *live.Config) (s *site, l *hookedLog) {
	t.Helper()
	s, l = newHookedSite(t, obey(func() *live.Hub { return s.hub }, rules), cfg)
	return s, l
}
