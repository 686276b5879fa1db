package memlog

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/lazysession/session/live/stream"
)

// A watcher is told which streams have grown.
type watcher struct {
	tell func(stream.Name, stream.Position)
}

// watchers are all of them.
type watchers struct {
	mu  sync.Mutex                 // is locked to change the list
	all atomic.Pointer[[]*watcher] // the list is replaced, never changed; nil: none
}

func (w *watchers) any() bool { return w.all.Load() != nil }

// list returns the watchers. The caller must not change it.
func (w *watchers) list() []*watcher {
	if all := w.all.Load(); all != nil {
		return *all
	}
	return nil
}

func (w *watchers) add(one *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all.Store(new(append(slices.Clip(w.list()), one)))
}

func (w *watchers) remove(one *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := slices.DeleteFunc(slices.Clone(w.list()), func(w *watcher) bool { return w == one })
	if len(rest) == 0 {
		w.all.Store(nil)
		return
	}
	w.all.Store(&rest)
}

// Watch calls f with each stream that has grown, on the goroutine of the Commit or Take that let it grow, once nothing
// is locked any more. See stream.Log.
func (l *Log) Watch(f func(s stream.Name, top stream.Position)) (cancel func()) {
	w := &watcher{f}
	l.watch.add(w)
	return func() { l.watch.remove(w) }
}

// A hint says that a stream has grown.
type hint struct {
	stream stream.Name
	top    stream.Position
}

// hints are those of one step. The first few take no allocation.
type hints struct {
	first [2]hint
	n     int // how many of first are used
	more  []hint
}

func (h *hints) add(s stream.Name, top stream.Position) {
	switch {
	case h.n > 0 && len(h.more) == 0 && h.first[h.n-1].stream == s: // several as one
		h.first[h.n-1].top = top
	case h.n < len(h.first):
		h.first[h.n] = hint{s, top}
		h.n++
	default:
		h.more = append(h.more, hint{s, top})
	}
}

// tell tells the watchers what has grown. Nothing may be locked, so that a watcher can wait for whatever it likes.
func (st *step) tell() {
	if st.hints.n == 0 {
		return
	}
	for _, w := range st.l.watch.list() {
		for _, h := range st.hints.first[:st.hints.n] {
			w.tell(h.stream, h.top)
		}
		for _, h := range st.hints.more {
			w.tell(h.stream, h.top)
		}
	}
}
