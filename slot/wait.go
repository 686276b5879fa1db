package slot

import (
	"context"
	"fmt"
)

// Wait waits until no holder of the table is open: all that were opened, also meanwhile, are released, and their hooks
// have run. It is for the end of a program, after the call that closes the holders, such as http.Server.Shutdown.
//
// If ctx is done first, Wait returns an error that wraps the cause and says how many holders are still open. With a nil
// table it returns at once.
func (t *Table) Wait(ctx context.Context) error {
	for {
		changed := t.nextRelease()
		open := t.Figures().Open()
		if open == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("slot: %d holders are still open: %w", open, context.Cause(ctx))
		}
	}
}

// nextRelease returns a channel that is closed when the next holder is released; nil for a nil table.
func (t *Table) nextRelease() <-chan struct{} {
	if t == nil {
		return nil
	}
	changed := make(chan struct{})
	for !t.waiting.CompareAndSwap(nil, &changed) {
		if others := t.waiting.Load(); others != nil {
			return *others
		}
	}
	return changed
}

func (t *Table) tellWaiting() {
	if t.waiting.Load() == nil {
		return
	}
	if changed := t.waiting.Swap(nil); changed != nil {
		close(*changed)
	}
}
