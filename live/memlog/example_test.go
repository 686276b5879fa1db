package memlog_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store"
)

// A log that goes on after a restart of the program.
func ExampleOpen() {
	folder, err := os.MkdirTemp("", "memlog")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	ctx, options := context.Background(), &memlog.Options{Archive: filepath.Join(folder, "live.archive")}

	log, err := memlog.Open(options) // there is no archive yet
	if err != nil {
		fmt.Println(err)
		return
	}
	s, _ := log.Take(ctx, &stream.Claim{ID: stream.NewID(), New: true, Session: store.ID{1}})
	_, _ = log.Commit(ctx, &stream.Batch{Lease: s.Lease(), Ops: []stream.Op{
		{Kind: stream.Send, Stream: stream.Own(s.ID), Data: []byte("hello")},
	}})
	if err := log.Close(ctx, true); err != nil {
		fmt.Println(err)
		return
	}

	log, err = memlog.Open(options)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer log.Close(ctx, false)
	messages, _ := log.Read(ctx, stream.Own(s.ID), s.Out, 10)
	for _, m := range messages {
		fmt.Printf("%d %s\n", m.Number, m.Data)
	}
	// Output: 1 hello
}
