package sessiontest

import (
	"context"

	"github.com/lazysession/session/store"
)

// CheckLive returns those of ids whose records are live.
func (b *BrokenStore) CheckLive(ctx context.Context, ids []store.ID) ([]store.ID, error) {
	if _, err := b.obey(ctx, CheckLive); err != nil {
		return nil, err
	}
	c, ok := b.Store.(store.Checker)
	if !ok {
		return nil, b.unsupported(CheckLive)
	}
	return c.CheckLive(ctx, ids)
}
