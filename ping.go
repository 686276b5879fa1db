package session

import (
	"context"
	"errors"

	"github.com/lazysession/session/internal/signed"
	"github.com/lazysession/session/store"
)

// Ping reports whether the store answers, within Config.StoreTimeout: for a page that says whether this server is
// ready. A store that is no store.Pinger is asked for a session that does not exist. The error wraps ErrUnavailable.
func (m *Manager) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	if p, ok := m.store.(store.Pinger); ok {
		err := p.Ping(ctx)
		if !errors.Is(err, errors.ErrUnsupported) { // which a store says that stands before one that is no Pinger
			return fromStore(err)
		}
	}
	return m.pingByLoad(ctx)
}

func (m *Manager) pingByLoad(ctx context.Context) error {
	_, err := m.store.Load(ctx, store.Token(signed.NewRaw()))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return fromStore(err)
}
