package slot

import (
	"context"
	"reflect"
	"sync/atomic"
)

// A Slot is one place in every holder of a table's slots, known to the layer that got it from [New] and to whom that
// layer gives it. It is an index: small, to be passed by value, and safe for goroutines to share. The zero Slot is no
// slot; its methods return an error.
type Slot[T any] struct {
	entry *entry
	gone  *T // what a cell holds from the release on, so that whatever comes later is refused
}

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
	if v == s.gone || v == nil && d.Released() {
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
	if _, ok := s.swap(d.makeCell(s.entry.index), v); !ok {
		return s.entry.about(ErrReleased)
	}
	return nil
}

// GetOrSet returns what the slot of h holds. If that is nothing, it makes the slot hold v and returns v: of several
// goroutines one sets the slot, and all get the same. It is for what is known only after OnOpen, such as the name in
// the peer's certificate, which the first request can set. Errors are those of Get.
func (s Slot[T]) GetOrSet(h Holder, v *T) (*T, error) {
	for {
		if got, err := s.Get(h); got != nil || v == nil || err != nil {
			return got, err
		}
		if s.setFirst(h.SlotData(), v) {
			return v, nil
		}
	}
}

// Take returns what the slot of h holds and leaves nothing there. Of several goroutines, and OnRelease, one gets it.
// Errors are those of Get.
func (s Slot[T]) Take(h Holder) (*T, error) {
	d, err := s.data(h)
	if err != nil {
		return nil, err
	}
	v, _ := s.swap(d.cell(s.entry.index), nil)
	if v == nil && d.Released() {
		return nil, s.entry.about(ErrReleased)
	}
	return v, nil
}

// WithValue returns a context that hands v to this slot of every holder opened with it, and to no other. OnOpen gets
// it; without that hook the slot holds it.
func (s Slot[T]) WithValue(ctx context.Context, v *T) context.Context {
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
	d := dataOf(h)
	if d == nil || d.state.Load() == 0 {
		return nil, s.entry.about(ErrNoData)
	}
	if d.table != s.entry.table {
		return nil, s.entry.about(ErrOtherTable)
	}
	return d, nil
}

// dataOf returns the data of a holder. A nil pointer has none: to a struct that embeds Data, its SlotData would panic.
func dataOf(h Holder) *Data {
	if v := reflect.ValueOf(h); v.Kind() == reflect.Pointer && v.IsNil() {
		return nil
	}
	return h.SlotData()
}

func load[T any](c *atomic.Value) *T {
	if c == nil {
		return nil
	}
	v, _ := c.Load().(*T)
	return v
}

// swap makes a cell hold v and returns what it held. It does nothing, and reports false, if there is no cell or its
// slot is released. A value that was swapped in is thereby one that OnRelease gets, if nobody else does before.
func (s Slot[T]) swap(c *atomic.Value, v *T) (old *T, ok bool) {
	if c == nil {
		return nil, false
	}
	for {
		held := c.Load()
		if old, _ = held.(*T); old == s.gone {
			return nil, false
		}
		if c.CompareAndSwap(held, v) {
			return old, true
		}
	}
}

// setFirst makes a slot hold v if it holds nothing and is not released.
func (s Slot[T]) setFirst(d *Data, v *T) bool {
	c := d.makeCell(s.entry.index)
	if c == nil {
		return false
	}
	held := c.Load()
	old, _ := held.(*T)
	return old == nil && c.CompareAndSwap(held, v)
}
