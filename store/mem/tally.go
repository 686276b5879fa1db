package mem

import "sync"

// A usage is how many sessions there are, and how many bytes they take.
type usage struct{ sessions, bytes int64 }

// A tally counts what all sessions take together. It has the limits, so that it checks and counts in one step. Its lock
// is the innermost.
type tally struct {
	limit usage

	mu sync.Mutex
	// mu locks the remaining field.
	used usage
}

func (t *tally) now() usage {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.used
}

// admit counts more in if the limits allow it, and reports whether they do.
func (t *tally) admit(more usage) bool {
	if more == (usage{}) {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.fitsLocked(more) {
		return false
	}
	t.used.add(more)
	return true
}

// lack returns how much has to be released before more is admitted.
func (t *tally) lack(more usage) usage {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fitsLocked(more) {
		return usage{}
	}
	used := t.used
	used.add(more)
	return usage{beyond(used.sessions, t.limit.sessions), beyond(used.bytes, t.limit.bytes)}
}

// fitsLocked reports whether more may be added. A change that takes no more than before always fits. So does the only
// session, whatever its size, since there is no other to end instead.
func (t *tally) fitsLocked(more usage) bool {
	used := t.used
	used.add(more)
	return more.sessions <= 0 && more.bytes <= 0 || used.sessions <= 1 || used.within(t.limit)
}

// release takes less off the count.
func (t *tally) release(less usage) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.used.sub(less)
}

func (t *tally) drop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.used = usage{}
}

func (u *usage) add(o usage) { u.sessions, u.bytes = u.sessions+o.sessions, u.bytes+o.bytes }
func (u *usage) sub(o usage) { u.sessions, u.bytes = u.sessions-o.sessions, u.bytes-o.bytes }

func (u usage) within(limit usage) bool {
	return beyond(u.sessions, limit.sessions) == 0 && beyond(u.bytes, limit.bytes) == 0
}

// beyond returns by how much n exceeds a limit.
func beyond(n, limit int64) int64 { return max(0, n-limit) }
