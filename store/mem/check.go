package mem

import (
	"bytes"
	"context"
	"slices"

	"github.com/lazysession/session/store"
)

// checkBatch is how many IDs are looked up before the context is looked at again.
const checkBatch = 1024

var _ store.Checker = (*Store)(nil)

// CheckLive returns those of ids whose sessions are live. It looks up each ID by itself, so a session that ends
// meanwhile may be among them or not. It allocates nothing but what it returns.
func (s *Store) CheckLive(ctx context.Context, ids []store.ID) ([]store.ID, error) {
	var live []store.ID
	now := s.clock.now()
	for batch := range slices.Chunk(ids, checkBatch) {
		for _, id := range batch {
			if n := s.ids.find(id); n != nil && !n.Expired(now) {
				live = append(live, id)
			}
		}
		if err := s.ready(ctx); err != nil { // after the look: a store that was closed meanwhile has no sessions
			return nil, err
		}
	}
	slices.SortFunc(live, func(a, b store.ID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(live), nil
}
