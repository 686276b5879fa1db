package memlog_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/live/stream"
)

// A stream keeps exactly what its retention says.
func TestRetention(t *testing.T) {
	for name, test := range map[string]struct {
		keep stream.Retention
		want int // of 50 messages of 100 bytes
	}{
		"messages":              {stream.Retention{Messages: 7}, 7},
		"bytes":                 {stream.Retention{Bytes: 1250}, 12},
		"both":                  {stream.Retention{Messages: 7, Bytes: 300}, 3},
		"less than one message": {stream.Retention{Bytes: 1}, 1},
		"defaults":              {stream.Retention{}, 50},
	} {
		t.Run(name, func(t *testing.T) {
			l := memlog.New(nil)
			s := newSocket(t, l)
			for range 50 {
				commit(t, l, s, send(s, make([]byte, 100), test.keep))
			}
			if got := len(kept(t, l, s)); got != test.want {
				t.Errorf("got %d messages, want %d", got, test.want)
			}
		})
	}
}

// Messages that are too old are gone, also where nothing follows them.
func TestAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memlog.New(nil)
		s := newSocket(t, l)
		keep := stream.Retention{Age: time.Minute}
		commit(t, l, s, send(s, []byte("a"), keep))
		time.Sleep(40 * time.Second)
		commit(t, l, s, send(s, []byte("b"), keep))
		time.Sleep(30 * time.Second)
		if ms := kept(t, l, s); len(ms) != 1 || string(ms[0].Data) != "b" {
			t.Errorf("after 70 seconds: got %v, want the message of 30 seconds ago", ms)
		}
		time.Sleep(40 * time.Second)
		if ms := kept(t, l, s); len(ms) != 0 {
			t.Errorf("after 110 seconds: got %v, want none", ms)
		}
	})
}

// The log as a whole keeps no more than MaxBytes, and the oldest messages go first, whichever stream they are in.
func TestMaxBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most, size = 100_000, 936 // 1,000 bytes with what each message takes beside its data
		l := memlog.New(&memlog.Options{MaxBytes: most})
		quiet, busy := newSocket(t, l), newSocket(t, l)
		roomy := stream.Retention{Messages: 1000}
		post := func(s *stream.Socket, n int) {
			for range n {
				time.Sleep(time.Millisecond)
				commit(t, l, s, send(s, make([]byte, size), roomy))
			}
		}
		post(quiet, 30)
		post(busy, 70)
		if q, b := len(kept(t, l, quiet)), len(kept(t, l, busy)); q != 30 || b != 70 {
			t.Fatalf("at the limit: got %d and %d messages, want 30 and 70", q, b)
		}
		post(busy, 1)
		q, b := len(kept(t, l, quiet)), len(kept(t, l, busy))
		if b != 71 || q >= 30 || q < 20 {
			t.Errorf("beyond the limit: got %d and %d messages, want fewer than 30 of the older ones, and 71", q, b)
		}
		post(busy, 500)
		if q, b := len(kept(t, l, quiet)), len(kept(t, l, busy)); q != 0 || b > 100 || b < 80 {
			t.Errorf("much later: got %d and %d messages, want none of the older ones, and about 100", q, b)
		}
	})
}

// Messages of a batch that was refused, and of sockets and channels that are gone, count no more.
func TestMaxBytesForgets(t *testing.T) {
	l := memlog.New(&memlog.Options{MaxBytes: 10_000, Received: &stream.Retention{}})
	stays := newSocket(t, l)
	commit(t, l, stays, send(stays, []byte("kept"), stream.Retention{}))
	for range 100 {
		s := newSocket(t, l)
		data := bytes.Repeat([]byte("x"), 1000)
		join := stream.Op{Kind: stream.Join, Channel: "room"}
		talk := stream.Op{Kind: stream.Send, Stream: stream.Of("room"), Data: data}
		edit := stream.Op{Kind: stream.Edit, Channel: "another"}
		refused := &stream.Batch{Lease: s.Lease(), Ops: []stream.Op{join, talk, send(stays, data, stream.Retention{}), edit}}
		if _, err := l.Commit(t.Context(), refused); err == nil {
			t.Fatal("an edit of another channel was not refused")
		}
		b := &stream.Batch{Lease: s.Lease(), In: 1, Received: data, Ops: []stream.Op{join, talk, {Kind: stream.End}}}
		if _, err := l.Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if ms := kept(t, l, stays); len(ms) != 1 {
		t.Errorf("got %d messages, want the one that was kept", len(ms))
	}
	if got := l.Bytes(); got != 68 {
		t.Errorf("the messages take %d bytes, want 68: 4 and 64", got)
	}
}

func TestWarmRefusesWhatIsNeverKept(t *testing.T) {
	l := memlog.New(&memlog.Options{MaxBytes: 1000})
	if err := l.Warm(t.Context(), 1001); err == nil {
		t.Error("no error of a message larger than MaxBytes")
	}
}
