package service_test

import (
	"testing"

	"github.com/lazysession/session"
	"github.com/lazysession/session/service"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// A watchedStore counts the Managers that watch it. A Manager watches until it is closed.
type watchedStore struct {
	*mem.Store
	watchers int
}

func (s *watchedStore) Watch(f func(store.Event)) (cancel func()) {
	s.watchers++
	unwatch := s.Store.Watch(f)
	return func() { s.watchers--; unwatch() }
}

// TestCloseClosesTheManager closes a registry that was given to a Manager as its Config.Services.
func TestCloseClosesTheManager(t *testing.T) {
	reg := service.NewRegistry(nil)
	s := &watchedStore{Store: mem.New(nil)}
	for _, name := range []string{"one", "two"} {
		_, err := session.New(s, &session.Config{Services: reg, Cookie: session.Cookie{Name: name}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if s.watchers != 2 {
		t.Fatalf("%d Managers watch the store, want 2", s.watchers)
	}
	if err := reg.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
	if s.watchers != 0 {
		t.Errorf("after Close of the registry: %d Managers watch the store, want 0", s.watchers)
	}
}
