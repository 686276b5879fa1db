package slot

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
)

// A Table hands out slots. The zero Table is empty and ready. It must not be copied.
//
// Layers ask for their slots with [New] while the program is set up. The first [Data] that opens freezes the table, so
// that every holder has the same slots. Goroutines may share a Table.
type Table struct {
	// Logger gets the panics of hooks. Defaults to slog.Default(). Set it before the first Data opens.
	Logger *slog.Logger

	opened, released atomic.Uint64
	waiting          atomic.Pointer[chan struct{}] // closed at the next release; nil while no Wait is running

	mu sync.Mutex
	// mu locks the remaining fields. Once the table is frozen, entries never changes.
	entries []*entry
	frozen  bool
}

// An entry is what a table keeps of a slot.
type entry struct {
	table *Table
	name  string
	place string // in the source, of the call of New
	index int

	open    func(context.Context, *Data)
	release func(*Data)
}

// New returns a new slot for a layer: a pointer to T in every holder of the table's slots.
//
// The name has to be unique in the table. By convention it is the package's path and a word:
// "example.com/shop/limit.bucket". New returns [ErrTaken] for a name that is taken, [ErrFrozen] after the first holder
// has opened, and another error for a nil table or an empty name. The zero Hooks do nothing. With an error New returns
// the zero Slot, every use of which is an error as well.
func New[T any](t *Table, name string, hooks Hooks[T]) (Slot[T], error) {
	s := Slot[T]{&entry{table: t, name: name, place: caller()}, mark[T]()}
	s.entry.open = func(ctx context.Context, d *Data) { s.open(ctx, d, hooks) }
	s.entry.release = func(d *Data) { s.release(d, hooks) }
	if err := t.add(s.entry); err != nil {
		return Slot[T]{}, err
	}
	return s, nil
}

// mark returns a pointer that no program has. Values of size zero may share an address; the extra byte prevents that.
func mark[T any]() *T {
	return &new(struct {
		v T
		_ byte
	}).v
}

func (t *Table) add(e *entry) error {
	switch {
	case t == nil:
		return e.about(errNoTable)
	case e.name == "":
		return errNoName
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, other := range t.entries {
		if other.name == e.name {
			return fmt.Errorf("%w: %q, at %s", ErrTaken, e.name, other.place)
		}
	}
	if t.frozen {
		return e.about(ErrFrozen)
	}
	e.index = len(t.entries)
	t.entries = append(t.entries, e)
	return nil
}

// freeze keeps the table from getting more slots.
func (t *Table) freeze() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.frozen = true
}

// caller returns where New was called. It helps to find two packages that chose the same name.
func caller() string {
	_, file, line, ok := runtime.Caller(2)
	if !ok {
		return "an unknown place"
	}
	return fmt.Sprintf("%s:%d", file, line)
}
