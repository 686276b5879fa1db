package stream_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store"
)

// A node takes a socket, handles its first message in one atomic step, and loses it to another node.
func Example() {
	ctx := context.Background()
	log := memlog.New(nil)
	defer log.Close(ctx, false)

	id, owner := stream.NewID(), store.ID{1}
	s, err := log.Take(ctx, &stream.Claim{ID: id, New: true, Session: owner, Node: "a"})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = log.Commit(ctx, &stream.Batch{Lease: s.Lease(), In: 1, Ops: []stream.Op{
		{Kind: stream.Join, Channel: "room"},
		{Kind: stream.Send, Stream: stream.Of("room"), Data: []byte(`"hello, all"`)},
		{Kind: stream.Send, Stream: stream.Own(id), Data: []byte(`"hello, you"`)},
	}})
	fmt.Println("handled:", err == nil)

	messages, _ := log.Read(ctx, stream.Own(id), s.Out, 10)
	for _, m := range messages {
		fmt.Println(m.Number, string(m.Data))
	}

	again, _ := log.Take(ctx, &stream.Claim{ID: id, Session: owner, Node: "b"})
	fmt.Println("goes on after message", again.In, "in", again.Channels)
	_, err = log.Commit(ctx, &stream.Batch{Lease: s.Lease(), In: 2})
	fmt.Println("node a is fenced:", errors.Is(err, stream.ErrFenced))
	// Output:
	// handled: true
	// 1 "hello, you"
	// goes on after message 1 in [room]
	// node a is fenced: true
}
