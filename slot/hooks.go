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
// Holders open the layers in the order in which they asked for their slots, and release them in the opposite order, so
// that a layer may rely on those before it at both times. A layer that refuses the holder, by releasing it in OnOpen,
// is the last one to open. A hook that panics is logged and stops no other.
type Hooks[T any] struct {
	// OnOpen returns what the slot is to hold; nil for nothing. The context is that of whoever opened the holder, and
	// lets the holder be found in it. Handed is what they handed to this slot with [Slot.WithValue]; nil if nothing.
	//
	// It runs before anybody else sees the holder, in the goroutine that accepts or dials, and so must not wait for
	// long. Nil: the slot holds what was handed.
	OnOpen func(ctx context.Context, handed *T) *T

	// OnRelease is given what the slot holds, nil if nothing. It runs exactly once for every holder that the layer
	// opened, when nobody has the holder pinned any more. Nobody finds the value in the slot from then on. A layer has
	// not opened a holder if its OnOpen panicked, or if a layer before it refused; then OnRelease runs only if the slot
	// was set nevertheless.
	//
	// The context lets the holder be found in it, as in OnOpen, and is never done.
	//
	// It runs in the goroutine that closes or unpins last, which may hold locks of its own, as net/http does. So it
	// must be quick, and call nothing that the holder belongs to.
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

// releaseAll runs the OnRelease hooks of the first n slots, last to first. Each defers those below it, so that not even
// one which ends its goroutine, as a test's FailNow does, can stop them.
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

// logPanic stops a panic of a hook, which is foreign to whoever closes a connection and to the other layers.
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

// A releaseContext is Data as the context of its OnRelease hooks: the values it was opened with, and no end, since that
// of the opening is long over.
type releaseContext Data

func (*releaseContext) Deadline() (none time.Time, ok bool) { return none, false }

func (*releaseContext) Done() <-chan struct{} { return nil }

func (*releaseContext) Err() error { return nil }

func (d *releaseContext) Value(key any) any { return d.ctx.Value(key) }

func (*releaseContext) String() string { return "slot.Releasing" }
