package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store"
)

// A unit gathers what one call of a handler does, until it is committed in one step: messages that it sends, and the
// state of channels that it changes. It is on the context of Endpoint.Message and of Channel.Do. Goroutines of the
// handler may send at the same time; channels are held by one goroutine.
type unit struct {
	hub  *Hub
	tx   stream.Tx // nil until it is used
	held map[string]*heldChannel
	lost error // of a hold that was a deadlock: nothing of the unit can be committed any more

	mu sync.Mutex
	// mu locks the remaining fields.
	ops  []stream.Op
	over bool // the handler has returned: what is sent now is sent at once
}

func unitOf(ctx context.Context) *unit {
	u, _ := ctx.Value(stream.TransactorKey{}).(*unit)
	return u
}

// Tx returns the transaction of the unit, which begins with its first use. It is a stream.Transactor, for what logs
// offer to handlers.
func (u *unit) Tx(ctx context.Context) (stream.Tx, error) {
	if u.tx == nil {
		tx, err := u.hub.log.Begin(ctx)
		if err != nil {
			return nil, err
		}
		u.tx = tx
	}
	return u.tx, nil
}

// hold holds a channel until the unit ends.
func (u *unit) hold(ctx context.Context, channel string) (*heldChannel, error) {
	if h := u.held[channel]; h != nil {
		return h, nil
	}
	tx, err := u.Tx(ctx)
	if err != nil {
		return nil, err
	}
	c, err := tx.Hold(ctx, channel)
	if err != nil {
		err = &holdError{channel: channel, err: err}
		if errors.Is(err, stream.ErrDeadlock) {
			u.lost = err
		}
		return nil, err
	}
	if u.held == nil {
		u.held = make(map[string]*heldChannel)
	}
	h := &heldChannel{values: c.State}
	u.held[channel] = h
	return h, nil
}

// A holdError says which channel could not be held.
type holdError struct {
	channel string
	err     error
}

func (e *holdError) Error() string { return fmt.Sprintf("holding channel %q: %v", e.channel, e.err) }
func (e *holdError) Unwrap() error { return e.err }

// add adds a message, unless the handler has returned.
func (u *unit) add(op stream.Op) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.over {
		return false
	}
	op.Data = slices.Clone(op.Data) // the caller may use its slice again before the commit
	u.ops = append(u.ops, op)
	return true
}

// sent returns how many messages were added, and undo removes those after a number.
func (u *unit) sent() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.ops)
}

func (u *unit) undo(after int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ops = u.ops[:after]
}

// finish returns the messages, and takes no more.
func (u *unit) finish() []stream.Op {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.over = true
	return u.ops
}

// commit commits the unit in one step.
func (u *unit) commit(ctx context.Context, b *stream.Batch) error {
	b.Ops = u.finish()
	for channel, h := range u.held {
		if h.change.Mutates() {
			b.Ops = append(b.Ops, stream.Op{Kind: stream.Edit, Channel: channel, Change: &h.change})
		}
	}
	var err error
	switch {
	case u.tx != nil:
		_, err = u.tx.Commit(ctx, b)
	case b.In != 0 || len(b.Ops) > 0:
		_, err = u.hub.log.Commit(ctx, b)
	}
	return err
}

// end frees the channels that the unit holds.
func (u *unit) end() {
	u.finish()
	if u.tx != nil {
		u.tx.Rollback()
	}
}

// maxTries limits how often a handler runs that was in a deadlock each time.
const maxTries = 20

// retry runs f with a new unit until it was in no deadlock. A further try first holds, in the order of their names, all
// channels that the earlier ones held or wanted: handlers that do the same don't meet in the same deadlock again.
func (h *Hub) retry(ctx context.Context, f func(u *unit) error) error {
	var wanted []string
	for try := 1; ; try++ {
		u := &unit{hub: h}
		err := u.holdAll(ctx, wanted)
		if err == nil {
			err = f(u)
		}
		u.end()
		if try == maxTries || !errors.Is(err, stream.ErrDeadlock) {
			return err
		}
		wanted = slices.AppendSeq(wanted, maps.Keys(u.held))
		if hold, ok := errors.AsType[*holdError](err); ok {
			wanted = append(wanted, hold.channel)
		}
		slices.Sort(wanted)
		wanted = slices.Compact(wanted)
	}
}

func (u *unit) holdAll(ctx context.Context, channels []string) error {
	for _, channel := range channels {
		if _, err := u.hold(ctx, channel); err != nil {
			return err
		}
	}
	return nil
}

// send adds a message to the unit of ctx, or commits it by itself.
func (h *Hub) send(ctx context.Context, op stream.Op) error {
	if !json.Valid(op.Data) {
		return fmt.Errorf("live: a message is one JSON document, not %.40q", op.Data)
	}
	if u := unitOf(ctx); u != nil && u.add(op) {
		return nil
	}
	_, err := h.log.Commit(ctx, &stream.Batch{Ops: []stream.Op{op}})
	return err
}

// A heldChannel is the state of a channel while Channel.Do works on it: a store of one record for the session that keys
// and counters find on the context.
type heldChannel struct {
	id     store.ID // of the session that works on it
	inUse  bool     // a Do works on it
	values store.Values
	change store.Change // what was changed so far
}

type heldKey struct{}

var errNested = errors.New("live: a Do within a Do of the same channel")

// do runs f on the state of the channel, and keeps what it changed if f returns nil.
func (h *heldChannel) do(ctx context.Context, states *session.Manager, f func(ctx context.Context) error) error {
	if h.inUse {
		return errNested
	}
	h.inUse = true
	defer func() { h.inUse = false }()
	work := &heldChannel{values: h.values, change: h.change}
	work.change.Edits = slices.Clone(h.change.Edits)
	ctx = context.WithValue(ctx, heldKey{}, work)
	s, err := states.Create(ctx)
	if err != nil {
		return err
	}
	if err := f(session.NewContext(ctx, s)); err != nil {
		return err
	}
	if err := s.Commit(ctx); err != nil {
		return err
	}
	*h = *work
	return nil
}

// apply applies what a session commits to the values.
func (h *heldChannel) apply(change *store.Change) error {
	edits := store.Change{Cleared: change.Cleared, Edits: change.Edits}
	after, err := edits.Apply(&store.Record{Values: h.values}, 0)
	if err != nil {
		return err
	}
	h.values = after.Values
	if change.Cleared {
		h.change = store.Change{Cleared: true}
	}
	for _, e := range change.Edits {
		h.note(e)
	}
	return nil
}

// note adds an edit that was applied to the whole change: as the value that it left, since nobody else changes it.
func (h *heldChannel) note(e store.Edit) {
	doc, ok := h.values.Get(e.Name)
	whole := store.Edit{Name: strings.Clone(e.Name), Op: store.Set, JSON: doc}
	if !ok {
		whole = store.Edit{Name: whole.Name, Op: store.Delete}
	}
	at, found := h.change.Find(e.Name)
	if found {
		h.change.Edits[at] = whole
		return
	}
	h.change.Edits = slices.Insert(h.change.Edits, at, whole)
}

// A stateStore is the store of the sessions that are the states of channels. It takes the channel from the context, so
// it holds nothing itself.
type stateStore struct{}

var errNoChannel = errors.New("live: the state of a channel can be used within Channel.Do only")

// Load finds nothing: a state is never opened by a token.
func (stateStore) Load(context.Context, store.Token) (*store.Record, error) {
	return nil, store.ErrNotFound
}

// forEver is longer than a Do may take: the state itself doesn't expire.
const forEver = 365 * 24 * time.Hour

// Commit applies a change to the channel of the context. The first one makes the record, with the channel's values.
func (stateStore) Commit(ctx context.Context, token store.Token, change *store.Change) (*store.Record, error) {
	h, ok := ctx.Value(heldKey{}).(*heldChannel)
	if !ok {
		return nil, errNoChannel
	}
	if err := h.apply(change); err != nil {
		return nil, err
	}
	if change.Created {
		h.id = change.ID
	}
	now := store.InstantOf(time.Now())
	return &store.Record{
		Token: token, ID: h.id, Created: now, LastSeen: now, IdleTimeout: forEver, Lifetime: forEver, Values: h.values,
	}, nil
}

// End refuses: the state of a channel ends with its last member.
func (stateStore) End(context.Context, store.ID, store.Reason) error { return errNoChannel }

// Volatile reports true, so that its sessions need no signing key: no client ever gets a token of them.
func (stateStore) Volatile() bool { return true }
