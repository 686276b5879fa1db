package postgres

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lazysession/session/store"
)

// columns are what a row is read from, in the order of row.scan. The database's time comes with each row, so that its
// times can be translated to this server's clock.
const columns = "now(), s.created, s.seen, s.idle, s.lifetime, s.id, s.version, s.persistent, s.token, s.owner, s.labels, s.data"

// A row is a session as it comes from the database.
type row struct {
	now, created, seen time.Time
	idle, lifetime     int64 // microseconds
	id                 [16]byte
	version            int64
	persistent         bool
	token              []byte
	owner              string
	labels, data       string
}

func (r *row) scan(from pgx.Row, more ...any) error {
	into := []any{&r.now, &r.created, &r.seen, &r.idle, &r.lifetime, &r.id, &r.version, &r.persistent, &r.token, &r.owner,
		&r.labels, &r.data}
	return from.Scan(append(into, more...)...)
}

// expired reports whether the session had ended by the database's clock when the row was read.
func (r *row) expired() bool {
	return !r.now.Before(r.seen.Add(microseconds(r.idle))) || !r.now.Before(r.created.Add(microseconds(r.lifetime)))
}

func microseconds(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// record returns the row as a Record, with its times translated by ahead to this server's clock.
func (r *row) record(ahead time.Duration) (*store.Record, error) {
	if len(r.token) != len(store.Token{}) {
		return nil, fmt.Errorf("postgres: session %v: token of %d bytes", store.ID(r.id), len(r.token))
	}
	values, err := readData(r.data)
	if err != nil {
		return nil, fmt.Errorf("postgres: session %v: %w", store.ID(r.id), err)
	}
	labels, err := readLabels(r.labels)
	if err != nil {
		return nil, fmt.Errorf("postgres: session %v: %w", store.ID(r.id), err)
	}
	return &store.Record{
		Token:       store.Token(r.token),
		ID:          store.ID(r.id),
		Version:     uint32(r.version),
		Persistent:  r.persistent,
		Created:     store.InstantOf(r.created.Add(ahead)),
		LastSeen:    store.InstantOf(r.seen.Add(ahead)),
		IdleTimeout: microseconds(r.idle),
		Lifetime:    microseconds(r.lifetime),
		Owner:       r.owner,
		Labels:      labels,
		Values:      values,
	}, nil
}

// A skew is how far this server's clock is ahead of the database's, in whole seconds: times translated by it can be
// compared with time.Now. It moves only when it is clearly off, so that a time reads the same whenever it is read.
type skew struct{ seconds atomic.Int64 }

// by returns the skew, given the database's time just now.
func (k *skew) by(now time.Time) time.Duration {
	const grain = 1500 * time.Millisecond
	kept := time.Duration(k.seconds.Load()) * time.Second
	if seen := time.Since(now); (seen - kept).Abs() > grain {
		kept = seen.Round(time.Second)
		k.seconds.Store(int64(kept / time.Second))
	}
	return kept
}

func readLabels(doc string) (labels map[string]string, err error) {
	if doc == "{}" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(doc), &labels); err != nil {
		return nil, fmt.Errorf("labels column: %w", err)
	}
	return labels, nil
}
