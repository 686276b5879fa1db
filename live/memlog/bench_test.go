package memlog_test

import (
	"strconv"
	"testing"

	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/live/stream"
)

// BenchmarkCommit is one message to a socket, as the answer to one from it.
func BenchmarkCommit(b *testing.B) {
	l := memlog.New(nil)
	s := newSocket(b, l)
	batch := &stream.Batch{Lease: s.Lease(), Ops: []stream.Op{send(s, make([]byte, 100), stream.Retention{})}}
	b.ReportAllocs()
	for b.Loop() {
		batch.In++
		if _, err := l.Commit(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommitWatched is BenchmarkCommit with a watcher.
func BenchmarkCommitWatched(b *testing.B) {
	l := memlog.New(nil)
	defer l.Watch(func(stream.Name, stream.Position) {})()
	s := newSocket(b, l)
	batch := &stream.Batch{Lease: s.Lease(), Ops: []stream.Op{send(s, make([]byte, 100), stream.Retention{})}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Commit(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead is one new message of a stream of a thousand.
func BenchmarkRead(b *testing.B) {
	l := memlog.New(nil)
	s := newSocket(b, l)
	at := s.Out
	for range 1000 {
		at = commit(b, l, s, send(s, make([]byte, 100), stream.Retention{}))[0]
	}
	at.Number--
	b.ReportAllocs()
	for b.Loop() {
		if ms, err := l.Read(b.Context(), stream.Own(s.ID), at, 16); err != nil || len(ms) != 1 {
			b.Fatal(len(ms), err)
		}
	}
}

// BenchmarkFanIn is many senders to one channel.
func BenchmarkFanIn(b *testing.B) {
	l := memlog.New(nil)
	s := newSocket(b, l)
	commit(b, l, s, stream.Op{Kind: stream.Join, Channel: "room"})
	op := stream.Op{Kind: stream.Send, Stream: stream.Of("room"), Data: make([]byte, 100)}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		sender := newSocket(b, l)
		batch := &stream.Batch{Lease: sender.Lease(), Ops: []stream.Op{op}}
		for pb.Next() {
			if _, err := l.Commit(b.Context(), batch); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkJoinLeave locks everything.
func BenchmarkJoinLeave(b *testing.B) {
	l := memlog.New(nil)
	s := newSocket(b, l)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		name := strconv.Itoa(n % 100)
		commit(b, l, s, stream.Op{Kind: stream.Join, Channel: name}, stream.Op{Kind: stream.Leave, Channel: name})
	}
}

// A Commit of one message allocates the message's data and the positions that it returns; Read allocates nothing.
func TestAllocations(t *testing.T) {
	l := memlog.New(nil)
	s := newSocket(t, l)
	batch := &stream.Batch{Lease: s.Lease(), Ops: []stream.Op{send(s, make([]byte, 100), stream.Retention{Messages: 100})}}
	at := s.Out
	for range 500 {
		at = commit(t, l, s, batch.Ops...)[0]
	}
	at.Number--
	ctx := t.Context()
	name := stream.Own(s.ID)
	read := func() {
		if ms, err := l.Read(ctx, name, at, 10); len(ms) != 1 {
			t.Fatalf("Read: got %d messages and error %v, want the last one", len(ms), err)
		}
	}
	if n := testing.AllocsPerRun(200, read); n > 0 {
		t.Errorf("Read: got %v allocations, want none", n)
	}
	commit := func() {
		if _, err := l.Commit(ctx, batch); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(200, commit); n > 2 {
		t.Errorf("Commit: got %v allocations, want 2", n)
	}
}
