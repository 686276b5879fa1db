package slot

import (
	"context"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"
)

// Hooks are what a layer does when a holder opens and when its data is released. Nil hooks do nothing.
//
// Layers open in the order in which they asked for their slots, and are released in the opposite order. So a layer may
// use the layers before it at both times. A layer that refuses the holder, by releasing it in OnOpen, is the last one
// to open. A hook that panics is logged, and the other hooks still run.
type Hooks[T any] struct {
	// OnOpen returns the value for the slot, or nil to leave it empty. The context is the one with which the holder was
	// opened, and contains the holder. Handed is the value that the context hands to this slot by [Slot.WithValue], or
	// nil.
	//
	// It runs before other code can use the holder, in the goroutine that accepts or dials, so it must not wait for long.
	// If OnOpen is nil, the handed value becomes the slot's.
	OnOpen func(ctx context.Context, handed *T) *T

	// OnRelease gets the value in the slot, or nil if it is empty. It runs exactly once for every holder that the layer
	// opened, after the last Unpin. From then on the value is no longer in the slot. A layer has not opened a holder if
	// its OnOpen panicked, or if a layer before it refused the holder. Then OnRelease runs only if the slot was set
	// nevertheless.
	//
	// The context contains the holder, as in OnOpen, and is never done.
	//
	// OnRelease runs in the goroutine that closes or unpins last. That goroutine may hold locks, as those of net/http do.
	// So OnRelease must be quick, and must not call what the holder belongs to.
	OnRelease func(ctx context.Context, v *T)
}

func (s Slot[T]) open(ctx context.Context, d *Data, hooks Hooks[T]) {
	v, _ := ctx.Value(s.entry).(*T)
	if hooks.OnOpen != nil {
		v = hooks.OnOpen(ctx, v)
	}
	if v != nil {
		d.makeCell(s.entry.index).Store(v)
	}
}

func (s Slot[T]) release(d *Data, hooks Hooks[T]) {
	var v *T
	if c := d.lastCell(s.entry.index); c != nil {
		v, _ = c.Swap(s.gone).(*T)
	}
	if hooks.OnRelease != nil && (v != nil || d.hasOpened(s.entry)) {
		hooks.OnRelease((*releaseContext)(d), v)
	}
}

// openAll runs the OnOpen hooks, first to last, until one refuses the holder.
func (d *Data) openAll(ctx context.Context) {
	for _, e := range d.entries() {
		if d.Closed() {
			return
		}
		d.reached++
		e.tryOpen(ctx, d)
	}
}

func (e *entry) tryOpen(ctx context.Context, d *Data) {
	ok := false
	defer func() {
		if !ok { // it panicked, or ended its goroutine
			d.failed = append(d.failed, e)
		}
	}()
	defer e.logPanic("OnOpen")
	e.open(ctx, d)
	ok = true
}

func (d *Data) hasOpened(e *entry) bool { return e.index < d.reached && !slices.Contains(d.failed, e) }

// releaseAll runs the OnRelease hooks of the first n slots, last to first. Each call defers the hooks below, so that
// they run even if a hook ends its goroutine, as a test's FailNow does.
func (d *Data) releaseAll(n int) {
	if n == 0 {
		d.table.countReleased()
		return
	}
	defer d.releaseAll(n - 1)
	d.table.entries[n-1].tryRelease(d)
}

func (e *entry) tryRelease(d *Data) {
	defer e.logPanic("OnRelease")
	e.release(d)
}

// logPanic stops a panic of a hook, since neither the code that closes the holder nor the other layers can handle it.
func (e *entry) logPanic(hook string) {
	if v := recover(); v != nil {
		e.table.logger().Error("slot: a hook panicked", slog.String("slot", e.name), slog.String("hook", hook),
			slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
	}
}

func (t *Table) logger() *slog.Logger {
	if t.Logger != nil {
		return t.Logger
	}
	return slog.Default()
}

// A releaseContext is Data as the context of its OnRelease hooks. It has the values of the context that the data keeps,
// but is never done, since the opening may be long over.
type releaseContext Data

func (*releaseContext) Deadline() (none time.Time, ok bool) { return none, false }

func (*releaseContext) Done() <-chan struct{} { return nil }

func (*releaseContext) Err() error { return nil }

func (d *releaseContext) Value(key any) any { return d.ctx.Value(key) }

func (*releaseContext) String() string { return "slot.Releasing" }
