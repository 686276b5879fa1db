package postgres_test

import (
	"testing"
	"time"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

func TestSkew(t *testing.T) {
	const noon = store.Instant(1_700_000_000_000_000)
	type reading struct {
		ahead, took time.Duration // this server's clock when the statement was sent, and how long it took
		want        time.Duration
	}
	for _, tt := range []struct {
		name     string
		readings []reading
	}{
		{"same clock", []reading{{0, time.Millisecond, 0}, {-time.Millisecond, 0, 0}}},
		{"a little off", []reading{{time.Second, 0, 0}, {-time.Second, 0, 0}, {1400 * time.Millisecond, 0, 0}}},
		{"ahead", []reading{
			{5*time.Minute + 300*time.Millisecond, 0, 5 * time.Minute}, {5*time.Minute - time.Second, 0, 5 * time.Minute},
		}},
		{"behind", []reading{{-5 * time.Minute, 0, -5 * time.Minute}, {-5*time.Minute + time.Second, 0, -5 * time.Minute}}},
		{"set right", []reading{{time.Hour, 0, time.Hour}, {0, 0, 0}}},
		{"a slow statement changes nothing", []reading{
			{1400 * time.Millisecond, 10 * time.Second, 0}, {-10 * time.Second, 10 * time.Second, 0}, {0, 0, 0},
		}},
		{"a slow statement far off changes it", []reading{
			{time.Hour, 10 * time.Second, time.Hour}, {time.Hour, 0, time.Hour},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var k postgres.Skew
			for i, r := range tt.readings {
				sent := noon.Add(r.ahead)
				if got := postgres.By(&k, noon, sent, sent.Add(r.took)); got != r.want {
					t.Errorf("reading %d: got %v, want %v", i, got, r.want)
				}
			}
		})
	}
}

// The times of a record are translated to this server's clock, so that they can be compared with time.Now.
func TestTimesOfThisServer(t *testing.T) {
	s, _ := newStore(t)
	before := time.Now()
	r := create(t, s, creation())
	if off := r.Created.Time().Sub(before); off < -2*time.Second || off > 2*time.Second+time.Since(before) {
		t.Errorf("created %v from now, want 2 s at most", off)
	}
	again := load(t, s, r.Token)
	if again.Created != r.Created || again.LastSeen != r.LastSeen {
		t.Errorf("the second load: got %v, %v, want %v, %v", again.Created, again.LastSeen, r.Created, r.LastSeen)
	}
}
