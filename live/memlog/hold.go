package memlog

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store"
)

// holds are the channels that transactions hold. A transaction waits for one hold at a time, so who waits for whom is a
// chain, and a deadlock is a chain that comes back to its beginning. It can come to be only where one begins to wait.
type holds struct {
	mu sync.Mutex
	// mu locks the remaining field and what is in it.
	of map[string]*hold
}

// A hold is the right of one transaction to a channel.
type hold struct {
	channel string
	owner   *tx
	queue   []*waiting // in the order of coming
}

// A waiting is a transaction that waits for a hold.
type waiting struct {
	t     *tx
	given chan struct{} // closed once t is the owner
}

// A tx is a transaction.
type tx struct {
	l      *Log
	waits  *hold // that it waits for; locked by holds.mu
	failed error
	ended  bool
	held   []held
}

// held is what a transaction holds.
type held struct {
	hold  *hold
	read  bool         // whether Hold has returned it; else it is held for an Edit only
	state store.Values // as it was read
}

// Begin starts a transaction. See stream.Log.
func (l *Log) Begin(context.Context) (stream.Tx, error) {
	if err := l.alive(); err != nil {
		return nil, err
	}
	return &tx{l: l}, nil
}

// take gives a hold to a transaction, at once or in its turn. With w, the transaction has to wait for it.
func (h *holds) take(t *tx, channel string) (got *hold, w *waiting, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	got = h.of[channel]
	if got == nil {
		got = &hold{channel: channel, owner: t}
		h.of[channel] = got
		return got, nil, nil
	}
	for next := got; next != nil; next = next.owner.waits {
		if next.owner == t {
			return nil, nil, stream.ErrDeadlock
		}
	}
	w = &waiting{t: t, given: make(chan struct{})}
	got.queue = append(got.queue, w)
	t.waits = got
	return got, w, nil
}

// leave ends the waiting. It reports false where the transaction has the hold already.
func (h *holds) leave(hd *hold, w *waiting) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if hd.owner == w.t {
		return false
	}
	hd.queue = slices.DeleteFunc(hd.queue, func(other *waiting) bool { return other == w })
	w.t.waits = nil
	return true
}

// release gives a hold to the next one that waits.
func (h *holds) release(hd *hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(hd.queue) == 0 {
		delete(h.of, hd.channel)
		return
	}
	next := hd.queue[0]
	hd.queue = hd.queue[1:]
	hd.owner, next.t.waits = next.t, nil
	close(next.given)
}

var errTxEnded = errors.New("memlog: the transaction has ended")

// Hold holds a channel, and returns it as it is. See stream.Tx.
func (t *tx) Hold(ctx context.Context, channel string) (*stream.Channel, error) {
	switch {
	case t.ended:
		return nil, errTxEnded
	case t.failed != nil:
		return nil, t.failed
	}
	if t.find(channel) < 0 {
		if t.failed = t.wait(ctx, channel); t.failed != nil {
			return nil, t.failed
		}
	}
	return t.look(channel)
}

func (t *tx) find(channel string) int {
	return slices.IndexFunc(t.held, func(h held) bool { return h.hold.channel == channel })
}

// mayEdit reports whether the transaction may edit a channel that its socket is not in.
func (t *tx) mayEdit(channel string) bool { return t.held[t.find(channel)].read }

// wait waits for the hold of a channel.
func (t *tx) wait(ctx context.Context, channel string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	hd, w, err := t.l.holds.take(t, channel)
	if err != nil {
		return err
	}
	if w != nil {
		select {
		case <-w.given:
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-t.l.done:
			err = stream.ErrClosed
		}
		if err != nil && t.l.holds.leave(hd, w) {
			return err
		}
	}
	t.held = append(t.held, held{hold: hd})
	return err
}

// look reads a channel that the transaction holds.
func (t *tx) look(channel string) (*stream.Channel, error) {
	c, err := t.l.Channel(context.Background(), channel)
	if err != nil {
		t.failed = err
		return nil, err
	}
	if c == nil {
		c = &stream.Channel{Name: channel}
	}
	h := &t.held[t.find(channel)]
	h.read, h.state = true, c.State
	return c, nil
}

// shards returns where the held channels are.
func (t *tx) shards() (s lockset) {
	for _, h := range t.held {
		s |= 1 << shardOfChannel(h.hold.channel)
	}
	return s
}

// unchangedLocked returns ErrDeadlock where a state that the transaction has read is no more: its channel was removed
// with the last member.
func (t *tx) unchangedLocked() error {
	if t == nil {
		return nil
	}
	for _, h := range t.held {
		if !h.read {
			continue
		}
		var state store.Values
		if c := t.l.channelLocked(h.hold.channel); c != nil {
			state = c.is.State
		}
		if state != h.state {
			return stream.ErrDeadlock
		}
	}
	return nil
}

// Commit applies a batch as the end of the transaction. See stream.Tx.
func (t *tx) Commit(ctx context.Context, b *stream.Batch) ([]stream.Position, error) {
	switch {
	case t.ended:
		return nil, errTxEnded
	case t.failed != nil:
		return nil, t.failed
	}
	for _, channel := range edited(b) {
		if t.find(channel) >= 0 {
			continue
		}
		if t.failed = t.wait(ctx, channel); t.failed != nil {
			return nil, t.failed
		}
	}
	at, err := t.l.commit(b, t)
	if t.failed = err; err == nil {
		t.Rollback()
	}
	return at, err
}

// Rollback ends the transaction, and lets go of what it holds. See stream.Tx.
func (t *tx) Rollback() {
	t.ended = true
	for _, h := range t.held {
		t.l.holds.release(h.hold)
	}
	t.held = nil
}

// commitHolding applies a batch that edits without a transaction. It holds the channels for as long as that takes.
func (l *Log) commitHolding(ctx context.Context, b *stream.Batch) ([]stream.Position, error) {
	t := &tx{l: l}
	defer t.Rollback()
	return t.Commit(ctx, b)
}

// edited returns the names of the channels that a batch edits, in their order.
func edited(b *stream.Batch) (names []string) {
	for _, op := range b.Ops {
		if op.Kind == stream.Edit {
			names = append(names, op.Channel)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
