package main

import (
	"context"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// A storage is where the forum keeps sessions and posts. Handlers work in the same way with each.
type storage struct {
	sessions backend
	posts    repository
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
	sessions := mem.New(nil)
	return storage{sessions: sessions, posts: newMemoryRepo(), close: func() { sessions.Close() }}, nil
}
