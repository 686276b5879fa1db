package main

import (
	"context"

	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// A storage is where the forum keeps sessions, posts and live sockets. Handlers work in the same way with each.
type storage struct {
	sessions backend
	posts    repository
	streams  stream.Log
	database bool // it outlives the process
	close    func()
}

// A backend is a session store with the abilities that the forum uses.
type backend interface {
	store.Store
	store.Lister
	store.OwnerEnder
	store.Checker
	store.Watcher
	store.Sweeper
	store.Pinger
}

// openStorage connects to a database or, where url is empty, makes a storage in memory.
func openStorage(ctx context.Context, url string) (storage, error) {
	if url != "" {
		return openPostgres(ctx, url)
	}
	sessions, streams := mem.New(nil), memlog.New(nil)
	return storage{sessions: sessions, posts: newMemoryRepo(), streams: streams, close: func() {
		streams.Close(context.Background(), false)
		sessions.Close()
	}}, nil
}
