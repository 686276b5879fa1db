package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/lazysession/session/store"
)

// ErrBroken is the error of a BrokenStore that was told to fail with a nil error.
var ErrBroken = errors.New("sessiontest: the store is broken")

// A Call is a kind of call of a store, to say which calls fail or hang.
type Call string

// The calls that a BrokenStore can let fail or hang.
const (
	Load      Call = "Load"
	Commit    Call = "Commit"
	End       Call = "End"
	List      Call = "List"
	EndOwner  Call = "EndOwner"
	CheckLive Call = "CheckLive"
	Sweep     Call = "Sweep"
	Ping      Call = "Ping"
)

// A BrokenStore wraps a store, and works until it is told not to. It has the abilities of the wrapped store: List,
// EndOwner, CheckLive and Ping return errors.ErrUnsupported where that store lacks them. Any number of goroutines may
// use it.
//
// Fail, FailNext, Hang, LoseReplies and Mend each give an order. An order replaces the one before, and counts for calls
// that begin afterwards.
//
//	s := sessiontest.Broken(mem.New(nil))
//	m, err := session.New(s, &session.Config{Keys: keys})
//	s.Fail(nil, sessiontest.Commit)
//	// … a handler that writes is answered 503
//	s.Mend()
type BrokenStore struct {
	store.Store
	own store.Watchers // used where Store is no Watcher

	mu sync.Mutex
	// mu locks the remaining fields.
	order  order
	hung   int
	hangs  chan struct{} // closed at the next call that hangs
	mended chan struct{} // closed by the next order
}

// An order is what a BrokenStore was told to do.
type order struct {
	do    deed
	calls []Call // none: all
	left  int    // how many calls still fail, hang or lose their reply
	err   error
}

const everyTime = math.MaxInt // as good as no limit of calls

type deed uint8

const (
	work deed = iota
	fail
	hang
	loseReply
)

var (
	_ store.Lister     = (*BrokenStore)(nil)
	_ store.OwnerEnder = (*BrokenStore)(nil)
	_ store.Checker    = (*BrokenStore)(nil)
	_ store.Watcher    = (*BrokenStore)(nil)
	_ store.Sweeper    = (*BrokenStore)(nil)
	_ store.Pinger     = (*BrokenStore)(nil)
	_ store.Volatile   = (*BrokenStore)(nil)
	_ store.Clock      = (*BrokenStore)(nil)
)

// Broken returns a store that works like s until it is told to fail.
func Broken(s store.Store) *BrokenStore {
	return &BrokenStore{Store: s, hangs: make(chan struct{}), mended: make(chan struct{})}
}

// Fail makes every call of these kinds return err without reaching the store, until the next order. Without kinds it
// means all calls. A nil err means ErrBroken.
func (b *BrokenStore) Fail(err error, calls ...Call) {
	b.tell(order{fail, calls, everyTime, orBroken(err)})
}

// FailNext is Fail for the next n such calls. Then the store works again.
func (b *BrokenStore) FailNext(n int, err error, calls ...Call) {
	b.tell(order{fail, calls, n, orBroken(err)})
}

// Hang makes every call of these kinds wait. Without kinds it means all calls. A call waits until its context is done,
// and then returns the cause, or until the next order, and then does what that says.
func (b *BrokenStore) Hang(calls ...Call) { b.tell(order{do: hang, calls: calls, left: everyTime}) }

// LoseReplies makes the next n commits reach the store, but return store.ErrOutcomeUnknown, as if the connection broke
// before the answer.
func (b *BrokenStore) LoseReplies(n int) {
	b.tell(order{loseReply, []Call{Commit}, n, store.ErrOutcomeUnknown})
}

// Mend makes the store work again, also for the calls that hang.
func (b *BrokenStore) Mend() { b.tell(order{}) }

// AwaitHang waits until a call hangs. If ctx is done first, it returns the cause.
func (b *BrokenStore) AwaitHang(ctx context.Context) error {
	for {
		b.mu.Lock()
		hung, hangs := b.hung, b.hangs
		b.mu.Unlock()
		if hung > 0 {
			return nil
		}
		select {
		case <-hangs:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func orBroken(err error) error {
	if err == nil {
		return ErrBroken
	}
	return err
}

func (b *BrokenStore) tell(o order) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o.calls = slices.Clone(o.calls)
	b.order = o
	close(b.mended)
	b.mended = make(chan struct{})
}

// take returns the order for a call, and a channel that is closed by the next order.
func (b *BrokenStore) take(c Call) (o order, mended <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o = b.order
	if o.left <= 0 || len(o.calls) > 0 && !slices.Contains(o.calls, c) {
		return order{}, nil
	}
	b.order.left--
	if o.do == hang {
		b.hung++
		close(b.hangs)
		b.hangs = make(chan struct{})
	}
	return o, b.mended
}

// obey does what the order says before a call reaches the store. It returns err for a call that must not reach the
// store, and lost for a call that must return this error afterwards.
func (b *BrokenStore) obey(ctx context.Context, c Call) (lost, err error) {
	for {
		o, mended := b.take(c)
		switch o.do {
		case fail:
			return nil, o.err
		case loseReply:
			return o.err, nil
		case work:
			return nil, nil
		}
		if err := b.wait(ctx, mended); err != nil {
			return nil, err
		}
	}
}

func (b *BrokenStore) wait(ctx context.Context, mended <-chan struct{}) error {
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.hung--
	}()
	select {
	case <-mended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Load loads a record.
func (b *BrokenStore) Load(ctx context.Context, t store.Token) (*store.Record, error) {
	if _, err := b.obey(ctx, Load); err != nil {
		return nil, err
	}
	return b.Store.Load(ctx, t)
}

// Commit applies a change.
func (b *BrokenStore) Commit(ctx context.Context, t store.Token, c *store.Change) (*store.Record, error) {
	lost, err := b.obey(ctx, Commit)
	if err != nil {
		return nil, err
	}
	rec, err := b.Store.Commit(ctx, t, c)
	if err == nil && rec != nil {
		b.tellOfCommit(rec, c)
	}
	if lost != nil {
		return nil, lost
	}
	return rec, err
}

// End removes a record.
func (b *BrokenStore) End(ctx context.Context, id store.ID, why store.Reason) error {
	if _, err := b.obey(ctx, End); err != nil {
		return err
	}
	err := b.Store.End(ctx, id, why)
	if err == nil {
		b.tellOwn(store.Event{Kind: store.Ended, ID: id, Reason: why})
	}
	return err
}

// List walks over records.
func (b *BrokenStore) List(ctx context.Context, f store.Filter) iter.Seq2[*store.Record, error] {
	l, ok := b.Store.(store.Lister)
	return func(yield func(*store.Record, error) bool) {
		_, err := b.obey(ctx, List)
		if err == nil && !ok {
			err = b.unsupported(List)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		for rec, err := range l.List(ctx, f) {
			if !yield(rec, err) {
				return
			}
		}
	}
}

// EndOwner ends the sessions of an owner.
func (b *BrokenStore) EndOwner(ctx context.Context, owner string, except []store.ID, why store.Reason) (int, error) {
	if _, err := b.obey(ctx, EndOwner); err != nil {
		return 0, err
	}
	e, ok := b.Store.(store.OwnerEnder)
	if !ok {
		return 0, b.unsupported(EndOwner)
	}
	n, err := e.EndOwner(ctx, owner, except, why)
	if n > 0 {
		b.tellOwn(store.Event{Kind: store.Missed})
	}
	return n, err
}

// Sweep removes expired records. For a store that is no Sweeper it does nothing.
func (b *BrokenStore) Sweep(ctx context.Context) (next time.Duration, err error) {
	if _, err := b.obey(ctx, Sweep); err != nil {
		return 0, err
	}
	if s, ok := b.Store.(store.Sweeper); ok {
		return s.Sweep(ctx)
	}
	const never = 365 * 24 * time.Hour
	return never, nil
}

// Ping says whether the store can be reached.
func (b *BrokenStore) Ping(ctx context.Context) error {
	if _, err := b.obey(ctx, Ping); err != nil {
		return err
	}
	if p, ok := b.Store.(store.Pinger); ok {
		return p.Ping(ctx)
	}
	return b.unsupported(Ping)
}

// Watch reports the events of the wrapped store. If that is no Watcher, it reports the calls of this BrokenStore.
func (b *BrokenStore) Watch(f func(store.Event)) (cancel func()) {
	if w, ok := b.Store.(store.Watcher); ok {
		return w.Watch(f)
	}
	return b.own.Watch(f)
}

// Volatile returns what the wrapped store returns, or false if that is no Volatile.
func (b *BrokenStore) Volatile() bool {
	v, ok := b.Store.(store.Volatile)
	return ok && v.Volatile()
}

// Now returns the store's time.
func (b *BrokenStore) Now() time.Time {
	if c, ok := b.Store.(store.Clock); ok {
		return c.Now()
	}
	return time.Now()
}

func (b *BrokenStore) unsupported(c Call) error {
	return fmt.Errorf("sessiontest: %s of %T: %w", c, b.Store, errors.ErrUnsupported)
}

func (b *BrokenStore) tellOfCommit(rec *store.Record, c *store.Change) {
	if c.Created {
		b.tellOwn(store.Event{Kind: store.Created, ID: rec.ID, Owner: rec.Owner})
	}
	if c.Renews() {
		b.tellOwn(store.Event{Kind: store.Renewed, ID: rec.ID, Owner: rec.Owner})
	}
}

// tellOwn tells the watchers of own. There are none where the wrapped store is a Watcher.
func (b *BrokenStore) tellOwn(e store.Event) { b.own.Tell(e) }
