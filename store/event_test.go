package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/lazysession/session/store"
)

func TestWatchersTellEveryWatcher(t *testing.T) {
	var w store.Watchers
	w.Tell(store.Event{Kind: store.Missed}) // no watcher yet
	var first, second []store.Kind
	cancel := w.Watch(func(e store.Event) { first = append(first, e.Kind) })
	w.Watch(func(e store.Event) { second = append(second, e.Kind) })
	w.Tell(store.Event{Kind: store.Created})
	w.Tell(store.Event{Kind: store.Renewed})
	cancel()
	cancel() // a second call does nothing
	w.Tell(store.Event{Kind: store.Ended})
	if want := []store.Kind{store.Created, store.Renewed}; !slices.Equal(first, want) {
		t.Errorf("the cancelled watcher was told %v, want %v", first, want)
	}
	if want := []store.Kind{store.Created, store.Renewed, store.Ended}; !slices.Equal(second, want) {
		t.Errorf("the other watcher was told %v, want %v", second, want)
	}
}

func TestWatchersCancelTheirOwnOnly(t *testing.T) {
	var w store.Watchers
	n := 0
	f := func(store.Event) { n++ }
	cancel := w.Watch(f)
	w.Watch(f) // the same function again
	cancel()
	w.Tell(store.Event{Kind: store.Created})
	if n != 1 {
		t.Errorf("told %d times, want 1", n)
	}
}

func TestWatchersAtOnce(t *testing.T) {
	var w store.Watchers
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				cancel := w.Watch(func(store.Event) {})
				w.Tell(store.Event{Kind: store.Created})
				cancel()
			}
		})
	}
	wg.Wait()
}

func TestEventNames(t *testing.T) {
	kinds := fmt.Sprint(store.Created, store.Renewed, store.Ended, store.Missed, store.Kind(9))
	if want := "created renewed ended missed Kind(9)"; kinds != want {
		t.Errorf("kinds: got %q, want %q", kinds, want)
	}
	reasons := fmt.Sprintf("%v, %v, %v, %v, %v",
		store.LoggedOut, store.Revoked, store.Evicted, store.Expired, store.Reason(9))
	if want := "logged out, revoked, evicted, expired, Reason(9)"; reasons != want {
		t.Errorf("reasons: got %q, want %q", reasons, want)
	}
}
