package slot

import (
	"context"
	"log/slog"
	"runtime/debug"
	"slices"
)

// Hooks are what a layer does when a holder opens and when its data is released. Nil hooks do nothing.
//
// Holders open the layers in the order in which they asked for their slots, and release them in the opposite order, so
// that a layer may rely on those before it at both times; for the second it keeps the holder that OnOpen found. A hook
// that panics is logged and stops no other.
type Hooks[T any] struct {
	// OnOpen returns what the slot is to hold; nil for nothing. The context is that of whoever opened the holder, and
	// lets the holder be found in it. Handed is what they handed to this slot with [Slot.Hand]; nil if nothing.
	//
	// It runs before anybody else sees the holder, in the goroutine that accepts or dials, and so must not wait for long.
	// Nil: the slot holds what was handed.
	OnOpen func(ctx context.Context, handed *T) *T

	// OnRelease is given what the slot holds, nil if nothing. It runs exactly once for every holder for which OnOpen
	// did not panic, when nobody has the holder pinned any more. Nobody finds the value in the slot from then on.
	//
	// It runs in the goroutine that closes or unpins last, which may hold locks of its own, as net/http does. So it must
	// be quick, and call nothing that the holder belongs to.
	OnRelease func(*T)
}

func (h Hooks[T]) open(ctx context.Context, e *entry, d *Data) {
	v, _ := ctx.Value(e).(*T)
	if h.OnOpen != nil {
		v = h.OnOpen(ctx, v)
	}
	if v != nil {
		d.makeCell(e.index).Store(v)
	}
}

func (h Hooks[T]) release(e *entry, d *Data) {
	v := swap[T](d.cell(e.index), nil)
	if h.OnRelease != nil {
		h.OnRelease(v)
	}
}

// openAll runs the OnOpen hooks, first to last.
func (d *Data) openAll(ctx context.Context) {
	for _, e := range d.entries {
		if !e.tryOpen(ctx, d) {
			d.failed = append(d.failed, e)
		}
	}
}

func (e *entry) tryOpen(ctx context.Context, d *Data) (ok bool) {
	defer e.logPanic("OnOpen")
	e.open(ctx, e, d)
	return true
}

// releaseAll runs the OnRelease hooks of the first n slots, last to first. Each defers those below it, so that not even
// one which ends its goroutine, as a test's FailNow does, can stop them.
func (d *Data) releaseAll(n int) {
	if n == 0 {
		d.table.countReleased()
		return
	}
	defer d.releaseAll(n - 1)
	if e := d.entries[n-1]; !slices.Contains(d.failed, e) {
		e.tryRelease(d)
	}
}

func (e *entry) tryRelease(d *Data) {
	defer e.logPanic("OnRelease")
	e.release(e, d)
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
