package store_test

import (
	"testing"
	"time"

	"github.com/lazysession/session/store"
)

func TestRecordExpires(t *testing.T) {
	for _, tt := range []struct {
		name       string
		seen       time.Duration // after noon, when the record was created
		idle, life time.Duration
		want       time.Duration
	}{
		{"when idle", 5 * time.Minute, 30 * time.Minute, time.Hour, 35 * time.Minute},
		{"at the end of its lifetime", 50 * time.Minute, 30 * time.Minute, time.Hour, time.Hour},
		{"at the end of a lifetime below the idle timeout", 0, time.Hour, time.Minute, time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &store.Record{Created: noon, LastSeen: noon.Add(tt.seen), IdleTimeout: tt.idle, Lifetime: tt.life}
			end := noon.Add(tt.want)
			if got := r.Expires(); got != end {
				t.Errorf("Expires: got %v after noon, want %v", got.Sub(noon), tt.want)
			}
			if r.Expired(end-1) || !r.Expired(end) {
				t.Errorf("Expired: got %v just before, %v at that time, want false, true", r.Expired(end-1), r.Expired(end))
			}
		})
	}
}

func TestInstant(t *testing.T) {
	at := time.Date(2026, 2, 3, 4, 5, 6, 789_012_345, time.UTC)
	i := store.InstantOf(at)
	if got, want := i.Time(), at.Truncate(time.Microsecond); !got.Equal(want) {
		t.Errorf("Time: got %v, want %v", got, want)
	}
	if got := i.Add(90 * time.Second).Sub(i); got != 90*time.Second {
		t.Errorf("Sub after Add: got %v, want 90s", got)
	}
}
