package slot

import (
	"context"
	"reflect"
	"sync/atomic"
)

// A Slot is one place in every holder of a table's slots. A layer gets it from [New], and may give it to others. It is
// an index: small, passed by value, and safe for goroutines to share. The methods of the zero Slot return an error.
type Slot[T any] struct {
	entry *entry
	gone  *T // what the cell holds from the release on, so that later calls are refused
}

// Get returns the value in the slot of h, or nil if it is empty. It allocates nothing.
//
// Its errors are [ErrNoData], [ErrOtherTable], and [ErrReleased] after the release of h. A pointer that Get returned
// before the release remains valid, but OnRelease has got the same pointer. Code that uses it longer than a request has
// to pin the holder first.
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

// Set puts v into the slot of h. A nil v empties it. The value before is dropped without a hook; where it matters, get
// it out with [Slot.Take] first. The errors are those of Get. After an error v is not in the slot, and OnRelease
// doesn't get it.
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

// GetOrSet returns the value in the slot of h. If the slot is empty, it puts v there and returns v. Of several
// goroutines one sets the slot, and all get the same value. It is for values that are known only after OnOpen, such as
// the name in the peer's certificate, which the first request can set. The errors are those of Get.
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

// Take empties the slot of h and returns the value that was there. Only one of several goroutines and OnRelease gets
// it. The errors are those of Get.
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

// WithValue returns a context that hands v to this slot, and to no other, of every holder opened with that context.
// OnOpen gets it. Without that hook it becomes the slot's value.
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

// dataOf returns the data of a holder, or nil for a nil pointer. SlotData of a nil pointer to a struct that embeds Data
// would panic.
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

// swap puts v into a cell and returns the value before. If there is no cell, or its slot is released, it does nothing
// and reports false. A value that was swapped in is given to OnRelease, unless it is taken or replaced before.
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

// setFirst puts v into a slot that is empty and not released, and reports whether it did.
func (s Slot[T]) setFirst(d *Data, v *T) bool {
	c := d.makeCell(s.entry.index)
	if c == nil {
		return false
	}
	held := c.Load()
	old, _ := held.(*T)
	return old == nil && c.CompareAndSwap(held, v)
}
