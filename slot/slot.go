package slot

import (
	"context"
	"sync/atomic"
)

// A Slot is one place in every holder of a table's slots, known to the layer that got it from [New] and to whom that
// layer gives it. It is an index: small, to be passed by value, and safe for goroutines to share. The zero Slot is no
// slot; its methods return an error.
type Slot[T any] struct{ entry *entry }

// Get returns what the slot of h holds; nil if nothing. It allocates nothing.
//
// Errors: [ErrNoData], [ErrOtherTable], and [ErrReleased] once the value is gone with its holder. The pointer that it
// returned before remains valid, but OnRelease has seen it: who uses it longer than a request pins the holder first.
func (s Slot[T]) Get(h Holder) (*T, error) {
	d, err := s.data(h)
	if err != nil {
		return nil, err
	}
	v := load[T](d.cell(s.entry.index))
	if v == nil && d.Released() {
		return nil, s.entry.about(ErrReleased)
	}
	return v, nil
}

// Set makes the slot of h hold v; nil for nothing. What it held before is dropped without a hook, so [Slot.Take] that
// first where it matters. Errors are those of Get; after an error v was not stored, and is not given to OnRelease.
func (s Slot[T]) Set(h Holder, v *T) error {
	d, err := s.data(h)
	if err != nil {
		return err
	}
	if d.Released() {
		return s.entry.about(ErrReleased)
	}
	c := d.makeCell(s.entry.index)
	c.Store(v)
	// Released meanwhile? Then either OnRelease was given v, or it never will be and v must not stay.
	if d.Released() && c.CompareAndSwap(v, (*T)(nil)) {
		return s.entry.about(ErrReleased)
	}
	return nil
}

// Take returns what the slot of h holds and leaves nothing there. Of several goroutines, and OnRelease, one gets it.
// Errors are those of Get.
func (s Slot[T]) Take(h Holder) (*T, error) {
	d, err := s.data(h)
	if err != nil {
		return nil, err
	}
	v := swap[T](d.cell(s.entry.index), nil)
	if v == nil && d.Released() {
		return nil, s.entry.about(ErrReleased)
	}
	return v, nil
}

// Hand returns a context that hands v to this slot of every holder opened with it, and to no other. OnOpen gets it;
// without that hook the slot holds it.
func (s Slot[T]) Hand(ctx context.Context, v *T) context.Context {
	if s.entry == nil {
		return ctx
	}
	return context.WithValue(ctx, s.entry, v)
}

// String returns the slot's name.
func (s Slot[T]) String() string {
	if s.entry == nil {
		return "no slot"
	}
	return s.entry.name
}

func (s Slot[T]) data(h Holder) (*Data, error) {
	if s.entry == nil {
		return nil, errNoSlot
	}
	if h == nil {
		return nil, s.entry.about(ErrNoData)
	}
	d := h.SlotData()
	if d == nil || d.state.Load() == 0 {
		return nil, s.entry.about(ErrNoData)
	}
	if d.table != s.entry.table {
		return nil, s.entry.about(ErrOtherTable)
	}
	return d, nil
}

func load[T any](c *atomic.Value) *T {
	if c == nil {
		return nil
	}
	v, _ := c.Load().(*T)
	return v
}

func swap[T any](c *atomic.Value, v *T) (old *T) {
	if c == nil {
		return nil
	}
	old, _ = c.Swap(v).(*T)
	return old
}
