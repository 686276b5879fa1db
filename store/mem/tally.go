package mem

import "sync"

// A usage is how many sessions there are, and how many bytes they take.
type usage struct{ sessions, bytes int64 }

// A tally counts what all sessions take together. It knows the limits, so that looking for room and taking it is one
// step. Its lock is the innermost.
type tally struct {
	limit usage // 0: none

	mu sync.Mutex
	// mu locks the remaining field.
	used usage
}

func (t *tally) now() usage {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.used
}

// admit takes room, and reports whether there was any.
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

// lack returns what would have to go before more is admitted.
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

// fitsLocked lets in what needs no more room than before, and a session that is the only one, whatever its size: there
// is nothing to end in its favour.
func (t *tally) fitsLocked(more usage) bool {
	used := t.used
	used.add(more)
	return more.sessions <= 0 && more.bytes <= 0 || used.sessions <= 1 || used.within(t.limit)
}

// release gives room back.
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

// beyond returns by how much a limit is exceeded; 0 is none.
func beyond(n, limit int64) int64 {
	if limit == 0 {
		return 0
	}
	return max(0, n-limit)
}
