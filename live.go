package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/lazysession/session/store"
)

// Live returns those of ids whose sessions are live, each one once, in any order: for code that follows sessions by
// Subscribe and was told that events were missed. There may be any number of ids, for which the store has one
// Config.StoreTimeout together. Live is no use of the sessions. Where the store does not answer, it returns
// ErrUnavailable and no IDs; errors.ErrUnsupported says that the store can't tell.
func (m *Manager) Live(ctx context.Context, ids ...ID) ([]ID, error) {
	checker, ok := m.store.(store.Checker)
	if !ok {
		return nil, fmt.Errorf("session: finding live sessions in %T: %w", m.store, errors.ErrUnsupported)
	}
	return m.live(ctx, checker, ids)
}

// live asks the store, if there is anything to ask.
func (b *backend) live(ctx context.Context, checker store.Checker, ids []ID) ([]ID, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	call := b.call(ctx)
	defer call.release()
	live, err := checker.CheckLive(call, ids)
	if err != nil {
		return nil, fromStore(err)
	}
	return among(ids, live), nil
}

// among returns those of live that were asked for, each one once. Others are a fault of the store.
func among(asked, live []ID) []ID {
	left := make(map[ID]bool, len(asked))
	for _, id := range asked {
		left[id] = true
	}
	var found []ID
	for _, id := range live {
		if left[id] {
			found = append(found, id)
			left[id] = false
		}
	}
	return found
}
