package postgres

import (
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// A backlog has the rows that a search has found and that are not swept yet. It also has the place where the search
// ended.
type backlog struct {
	mu sync.Mutex
	// mu locks the remaining fields.
	ids   []pgtype.UUID
	rest  bool      // the search ended at its limit, so more rows may be due
	last  time.Time // due of the last row that was found
	since time.Time // when a search last began at the beginning
}

// take removes a batch from the backlog and returns it, or nil if the backlog is empty.
func (b *backlog) take() (ids []pgtype.UUID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(b.ids), sweepBatch)
	ids, b.ids = b.ids[:n:n], b.ids[n:]
	if n == 0 {
		return nil
	}
	return ids
}

// begin returns the due at which the next search begins.
func (b *backlog) begin() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := time.Now(); now.Sub(b.since) > sweepAgain {
		b.last, b.since = time.Time{}, now
	}
	return b.last
}

// found stores the result of a search.
func (b *backlog) found(ids []pgtype.UUID, last time.Time, rest bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ids, b.rest = ids, rest
	if len(ids) > 0 {
		b.last = last
	}
}

// more reports whether another batch may be due.
func (b *backlog) more() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.ids) > 0 || b.rest
}

// forget makes the next search begin at the beginning, because another server sweeps, or because sweeping has failed.
func (b *backlog) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ids, b.rest, b.since = nil, false, time.Time{}
}
