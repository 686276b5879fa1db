package conn_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lazysession/session/conn"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/slot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Main(m)) }

// patience is how long a test waits for an event before it fails.
const patience = 20 * time.Second

// await receives from a channel.
func await[T any](t testing.TB, what string, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatalf("%s: still waiting after %v", what, patience)
	}
	return v
}

// A witness is a layer that checks each connection's life: released once, and never while a request uses it.
type witness struct {
	t     testing.TB
	table slot.Table
	lives slot.Slot[life]

	mu       sync.Mutex
	released int
	change   chan struct{} // closed and replaced at each release
}

// A life is what the witness records of a connection.
type life struct {
	users, releases atomic.Int32
	requests        atomic.Int32
}

func newWitness(t testing.TB) *witness {
	t.Helper()
	w := &witness{t: t, change: make(chan struct{})}
	var err error
	w.lives, err = slot.New(&w.table, "conn_test.witness", slot.Hooks[life]{
		OnOpen:    func(context.Context, *life) *life { return new(life) },
		OnRelease: w.release,
	})
	expect.NoError(t, err)
	return w
}

func (w *witness) release(ctx context.Context, l *life) {
	if _, err := w.lives.Get(conn.FromContext(ctx)); !errors.Is(err, slot.ErrReleased) {
		w.t.Errorf("the slot of the connection that is released: got %v, want one that is released", err)
	}
	if n := l.users.Load(); n != 0 {
		w.t.Errorf("released while %d requests use it", n)
	}
	if n := l.releases.Add(1); n != 1 {
		w.t.Errorf("released %d times", n)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.released++
	close(w.change)
	w.change = make(chan struct{})
}

// use is called by handlers for as long as they use their connection.
func (w *witness) use(ctx context.Context) (l *life, done func()) {
	l, err := w.lives.Get(conn.FromContext(ctx))
	if err != nil {
		w.t.Errorf("no data in a handler: %v", err)
		return new(life), func() {}
	}
	l.users.Add(1)
	l.requests.Add(1)
	return l, func() {
		if l.releases.Load() != 0 {
			w.t.Error("released before the request was done")
		}
		l.users.Add(-1)
	}
}

func (w *witness) count() (released int, change <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.released, w.change
}

// wantReleased waits until n connections are released, and no other is open.
func (w *witness) wantReleased(n int) {
	w.t.Helper()
	for {
		released, change := w.count()
		if released >= n {
			break
		}
		await(w.t, "release", change)
	}
	for end := time.Now().Add(patience); w.table.Figures().Open() != 0 && time.Now().Before(end); {
		runtime.Gosched() // counted a moment after the hook
	}
	w.wantFigures(n, n)
}

func (w *witness) wantFigures(opened, released int) {
	w.t.Helper()
	expect.Equal(w.t, "figures", w.table.Figures(), slot.Figures{Opened: uint64(opened), Released: uint64(released)})
}
