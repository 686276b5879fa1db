package slot

import (
	"context"
	"sync/atomic"
)

// Data is the slots of one holder: a connection, or whatever else is opened, used and released. The holder has it as a
// field, and opens and releases it. The zero Data is not open: its slots can't be used, Pin fails. It must not be
// copied.
//
// Goroutines may share it. It has no lock: getting and setting are atomic operations on one word, and setting a slot
// for the first time allocates only in tables of more than eight slots.
type Data struct {
	table   *Table
	ctx     context.Context // of the OnRelease hooks
	reached int             // how many layers were asked to open; not changed after Open
	failed  []*entry        // whose OnOpen panicked; not changed after Open
	state   atomic.Int64
	inline  [inlineSlots]atomic.Value
	far     atomic.Pointer[[]atomic.Value] // of the slots that are not inline; nil until one is set, or noCells
}

// inlineSlots is how many slots are in Data itself, and so need no allocation of their own.
const inlineSlots = 8

// noCells are the far cells of data that was released before it had any: there can be none later.
var noCells []atomic.Value

// The state is the number of pins and these. Released is what has ended and is not pinned, and nothing leads out of it:
// that is why releasing happens exactly once.
const (
	isOpen   = 1 << 62
	isEnded  = 1 << 61
	released = isOpen | isEnded
	pins     = isEnded - 1
)

// A Holder has slots. A method that returns nil makes it a holder without any, and so does a nil pointer.
type Holder interface{ SlotData() *Data }

// SlotData makes Data a Holder by itself.
func (d *Data) SlotData() *Data { return d }

// Open opens the data for the table's slots, freezes the table, and runs the OnOpen hooks with ctx, in which they
// should find the holder. The data is pinned until all have run. A nil table has no slots.
//
// A hook that calls Release refuses the holder: the layers after its own are not asked to open.
//
// It is for the holder, before anybody else knows it. A nil context is an error, and changes nothing. To open twice is
// one too, also after the release.
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

// KeepContext sets the context from which OnRelease hooks get their values, which else is the one of Open. A holder
// that lives longer than the request for which it was opened doesn't keep that request's context in this way.
//
// It is for the holder, before Open.
func (d *Data) KeepContext(ctx context.Context) { d.ctx = ctx }

// Release releases the data: the OnRelease hooks run, in this goroutine if nobody has it pinned, else in the one that
// unpins it last. Only the first call counts. It is for the holder.
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

// Pin keeps the data from being released until [Data.Unpin], even if its holder closes meanwhile. Pins add up. It
// reports false if the data was released before, or never opened; there is nothing to unpin then.
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

// Unpin takes back one successful [Data.Pin]. One too many does nothing.
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

// entries returns the slots of the table, which is frozen since Open.
func (d *Data) entries() []*entry {
	if d.table == nil {
		return nil
	}
	return d.table.entries
}

// cell returns where a slot's value is; nil if none of the far ones was ever set.
func (d *Data) cell(i int) *atomic.Value {
	if i < inlineSlots {
		return &d.inline[i]
	}
	if far := d.far.Load(); far != nil && far != &noCells {
		return &(*far)[i-inlineSlots]
	}
	return nil
}

// makeCell returns where a slot's value is to be; nil if the data was released without the far ones.
func (d *Data) makeCell(i int) *atomic.Value {
	if i >= inlineSlots && d.far.Load() == nil {
		far := make([]atomic.Value, len(d.entries())-inlineSlots)
		d.far.CompareAndSwap(nil, &far) // if another goroutine was first, its cells are the ones
	}
	return d.cell(i)
}

// lastCell is cell for the release: if it returns nil, makeCell does so from then on.
func (d *Data) lastCell(i int) *atomic.Value {
	if i >= inlineSlots {
		d.far.CompareAndSwap(nil, &noCells)
	}
	return d.cell(i)
}
