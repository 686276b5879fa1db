package postgres

import (
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// A backlog has the rows that a search has found and that are not swept yet, and where the search ended.
type backlog struct {
	mu sync.Mutex
	// mu locks the remaining fields.
	ids   []pgtype.UUID
	rest  bool      // the search ended at its limit, so there may be more
	last  time.Time // due of the last row that was found
	since time.Time // when searches began at the beginning
}

// take returns a batch, or nil if there is none.
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

// begin returns where the next search begins.
func (b *backlog) begin() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := time.Now(); now.Sub(b.since) > sweepAgain {
		b.last, b.since = time.Time{}, now
	}
	return b.last
}

func (b *backlog) found(ids []pgtype.UUID, last time.Time, rest bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ids, b.rest = ids, rest
	if len(ids) > 0 {
		b.last = last
	}
}

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
