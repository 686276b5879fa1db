package e2e

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

const (
	loadRequests = 2000
	loadWorkers  = 16
	loadDoomed   = 4 // sessions that are ended again and again
)

// TestLoadWhileSessionsEnd sends many requests at once while one session of an owner keeps ending the others. That one
// loses no count; requests of the others may be told that their session has ended, and nothing worse.
func TestLoadWhileSessionsEnd(t *testing.T) {
	forum := startForum(t)
	l := &load{survivor: newClient(t, forum.url)}
	l.path = l.survivor.firstForum(t)
	if _, err := l.survivor.logIn("Ada"); err != nil {
		t.Fatal(err)
	}
	for range loadDoomed {
		l.doomed = append(l.doomed, newClient(t, forum.url))
	}

	var workers sync.WaitGroup
	for range loadWorkers {
		workers.Go(func() { l.work(t) })
	}
	workers.Wait()

	if got := len(l.numbers); got == 0 {
		t.Fatal("the surviving session made no visit")
	}
	wantEveryNumber(t, "the surviving session's visits", 0, l.numbers)
	if l.refused.Load() == 0 {
		t.Log("no request met its session's end; the machine may be too slow to make them overlap")
	}
	t.Logf("%d visits of the surviving session, %d requests answered 409", len(l.numbers), l.refused.Load())
}

// A load is what the workers share.
type load struct {
	path     string
	survivor *client
	doomed   []*client

	begun   atomic.Int64
	refused atomic.Int64

	mu sync.Mutex
	// mu locks the remaining fields.
	numbers []int // that the surviving session was shown
}

func (l *load) work(t *testing.T) {
	for {
		i := l.begun.Add(1)
		if i > loadRequests {
			return
		}
		if !l.request(t, int(i)) {
			return
		}
	}
}

// request makes the i-th request, and reports whether it makes sense to go on.
func (l *load) request(t *testing.T, i int) bool {
	doomed := l.doomed[i%loadDoomed]
	switch {
	case i%2 == 0:
		return l.visit(t)
	case i%25 == 1:
		got, err := l.survivor.post("/sessions/end-others", nil)
		return l.accept(t, "ending the others", got, err, http.StatusSeeOther)
	case i%5 == 0:
		got, err := doomed.logIn("Ada")
		return l.accept(t, "a login", got, err, http.StatusSeeOther, http.StatusConflict)
	default:
		got, err := doomed.get(l.path)
		return l.accept(t, "a visit of an ending session", got, err, http.StatusOK, http.StatusConflict)
	}
}

// visit is one of the surviving session.
func (l *load) visit(t *testing.T) bool {
	got, err := l.survivor.get(l.path)
	if !l.accept(t, "a visit of the surviving session", got, err, http.StatusOK) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.numbers = append(l.numbers, visitsIn(got.body))
	return true
}

func (l *load) accept(t *testing.T, what string, got reply, err error, wanted ...int) bool {
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return false
	}
	if got.status == http.StatusConflict {
		l.refused.Add(1)
	}
	if slices.Contains(wanted, got.status) {
		return true
	}
	t.Errorf("%s: got %d, want %v:\n%s", what, got.status, wanted, got.body)
	return false
}
