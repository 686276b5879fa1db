package slot

import (
	"context"
	"sync/atomic"
)

// Data is the slots of one holder: a connection, or something else that is opened, used and released. The holder has it
// as a field, and opens and releases it. The zero Data is not open: its slots can't be used, and Pin fails. Data must
// not be copied.
//
// Goroutines may share it. It has no lock: getting and setting are atomic operations on one word, and setting a slot
// for the first time allocates only in tables of more than eight slots.
type Data struct {
	table   *Table
	ctx     context.Context // of the OnRelease hooks
	reached int             // how many layers were asked to open; not changed after Open
	failed  []*entry        // the slots of which OnOpen panicked; not changed after Open
	state   atomic.Int64
	inline  [inlineSlots]atomic.Value
	far     atomic.Pointer[[]atomic.Value] // the cells of the slots that are not inline; nil until one is set, or noCells
}

// inlineSlots is how many slots are in Data itself, and so need no allocation of their own.
const inlineSlots = 8

// noCells are the far cells of data that was released before it had any. It never gets any afterwards.
var noCells []atomic.Value

// The state is the number of pins and these bits. Data is released when it has ended and is not pinned. It never leaves
// that state, so it is released exactly once.
const (
	isOpen   = 1 << 62
	isEnded  = 1 << 61
	released = isOpen | isEnded
	pins     = isEnded - 1
)

// A Holder has slots. One whose method returns nil has none, and a nil pointer has none.
type Holder interface{ SlotData() *Data }

// SlotData makes Data a Holder by itself.
func (d *Data) SlotData() *Data { return d }

// Open opens the data for the table's slots, freezes the table, and runs the OnOpen hooks with ctx. The holder should
// put itself into ctx, so that hooks find it there. The data is pinned until all hooks have run. A nil table has no
// slots.
//
// A hook that calls Release refuses the holder: the layers after its own don't open.
//
// The holder calls Open before it gives itself to others. With a nil context Open returns an error and does nothing. A
// second call returns an error, too, also after the release.
func (d *Data) Open(ctx context.Context, t *Table) error {
	if ctx == nil {
		return errNoContext
	}
	if !d.state.CompareAndSwap(0, isOpen+1) {
		return errTwice
	}
	defer d.Unpin()
	t.countOpened()
	t.freeze()
	d.table = t
	if d.ctx == nil {
		d.ctx = ctx
	}
	d.openAll(ctx)
	return nil
}

// KeepContext sets the context of which OnRelease hooks get the values. Without it that is the context of Open. So a
// holder that outlives the request for which it was opened doesn't keep that request's context.
//
// The holder calls it before Open.
func (d *Data) KeepContext(ctx context.Context) { d.ctx = ctx }

// Release releases the data: the OnRelease hooks run, in this goroutine if the data is not pinned, else in the
// goroutine of the last Unpin. Only the first call counts. The holder calls it.
func (d *Data) Release() {
	for {
		switch s := d.state.Load(); {
		case s&isOpen == 0 || s&isEnded != 0:
			return
		case d.state.CompareAndSwap(s, s|isEnded):
			d.releaseAt(s | isEnded)
			return
		}
	}
}

// Pin keeps the data from being released until [Data.Unpin], even if its holder closes meanwhile. Pins add up. If the
// data was never opened or is released already, Pin reports false, and Unpin must not be called.
func (d *Data) Pin() bool {
	for {
		s := d.state.Load()
		if s == 0 || s == released {
			return false
		}
		if d.state.CompareAndSwap(s, s+1) {
			return true
		}
	}
}

// Unpin takes back one successful [Data.Pin]. Without a pin it does nothing.
func (d *Data) Unpin() {
	for {
		s := d.state.Load()
		if s&pins == 0 {
			return
		}
		if d.state.CompareAndSwap(s, s-1) {
			d.releaseAt(s - 1)
			return
		}
	}
}

func (d *Data) releaseAt(state int64) {
	if state == released {
		d.releaseAll(len(d.entries()))
	}
}

// Closed reports whether Release was called. Data that is closed and pinned can still be used.
func (d *Data) Closed() bool { return d.state.Load()&isEnded != 0 }

// Released reports whether the OnRelease hooks have begun to run.
func (d *Data) Released() bool { return d.state.Load() == released }

// entries returns the slots of the table, which Open has frozen.
func (d *Data) entries() []*entry {
	if d.table == nil {
		return nil
	}
	return d.table.entries
}

// cell returns the cell of a slot, or nil if it is a far one and no far one was ever set.
func (d *Data) cell(i int) *atomic.Value {
	if i < inlineSlots {
		return &d.inline[i]
	}
	if far := d.far.Load(); far != nil && far != &noCells {
		return &(*far)[i-inlineSlots]
	}
	return nil
}

// makeCell returns the cell of a slot, and makes the far cells if there are none. It returns nil if the data was
// released without far cells.
func (d *Data) makeCell(i int) *atomic.Value {
	if i >= inlineSlots && d.far.Load() == nil {
		far := make([]atomic.Value, len(d.entries())-inlineSlots)
		d.far.CompareAndSwap(nil, &far) // if another goroutine was first, its cells stay
	}
	return d.cell(i)
}

// lastCell is cell for the release: if it returns nil, makeCell returns nil from then on.
func (d *Data) lastCell(i int) *atomic.Value {
	if i >= inlineSlots {
		d.far.CompareAndSwap(nil, &noCells)
	}
	return d.cell(i)
}
