package memlog_test

import (
	"testing"

	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store"
)

// newSocket makes a socket.
func newSocket(tb testing.TB, l *memlog.Log) *stream.Socket {
	tb.Helper()
	s, err := l.Take(tb.Context(), &stream.Claim{ID: stream.NewID(), New: true, Session: store.ID{1}})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// commit commits operations of a socket.
func commit(tb testing.TB, l *memlog.Log, s *stream.Socket, ops ...stream.Op) []stream.Position {
	tb.Helper()
	at, err := l.Commit(tb.Context(), &stream.Batch{Lease: s.Lease(), Ops: ops})
	if err != nil {
		tb.Fatal(err)
	}
	return at
}

func send(s *stream.Socket, data []byte, keep stream.Retention) stream.Op {
	return stream.Op{Kind: stream.Send, Stream: stream.Own(s.ID), Data: data, Keep: keep}
}

// kept returns the messages that are kept for a socket.
func kept(tb testing.TB, l *memlog.Log, s *stream.Socket) []stream.Message {
	tb.Helper()
	ms, err := l.Read(tb.Context(), stream.Own(s.ID), s.Out, 1<<20)
	if gap, ok := err.(*stream.GapError); ok && gap.Why == stream.Old {
		ms, err = l.Read(tb.Context(), stream.Own(s.ID), gap.At, 1<<20)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return ms
}
