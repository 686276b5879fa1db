package memory

import (
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

var errNotFound = errors.New("a live session is not found")

// peer is the memstore of scs, with values as scs hands them to it by default.
type peer struct{ *memstore.MemStore }

func openSCS(sweep time.Time) stock {
	if sweep.IsZero() {
		return peer{memstore.NewWithCleanupInterval(0)}
	}
	return peer{memstore.NewWithCleanupInterval(time.Until(sweep))}
}

func (s peer) put(n int, ends time.Time) error {
	values := map[string]any{"hits": 42, "user": user(n), "theme": "dark"}
	data, err := scs.GobCodec{}.Encode(ends, values)
	if err != nil {
		return err
	}
	return s.Commit(peerToken(n), data, ends)
}

// peerToken has the form of those that scs makes.
func peerToken(n int) string {
	d := digest(n)
	return base64.RawURLEncoding.EncodeToString(d[:])
}

func (s peer) reader(sessions []int) func(i int) error {
	tokens := make([]string, len(sessions))
	for i, n := range sessions {
		tokens[i] = peerToken(n)
	}
	return func(i int) error {
		_, found, err := s.Find(tokens[i])
		if err == nil && !found {
			err = errNotFound
		}
		return err
	}
}

// swept judges by the heap: the store tells nobody how many sessions it holds.
func (s peer) swept(sessions, heapBefore, heapAfter int) error {
	const least = 100 // bytes that go with a session, less than its encoded values alone
	if freed := heapBefore - heapAfter; freed < sessions/2*least {
		return fmt.Errorf("the sweep freed %d bytes, too few for half of %d sessions", freed, sessions)
	}
	return nil
}

func (s peer) close() error {
	s.StopCleanup()
	return nil
}
