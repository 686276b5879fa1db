package storetest_test

import (
	"bytes"
	"context"
	"slices"

	"github.com/lazysession/session/store"
)

func (s *reference) CheckLive(ctx context.Context, ids []store.ID) ([]store.ID, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var live []store.ID
	for _, id := range ids {
		r := s.records[s.tokens[id]]
		if r != nil && !r.Expired(now()) && !slices.Contains(live, id) {
			live = append(live, id)
		}
	}
	return live, nil
}

func (b *bent) CheckLive(ctx context.Context, ids []store.ID) ([]store.ID, error) {
	if b.check != nil {
		return b.check(ctx, ids)
	}
	return b.reference.CheckLive(ctx, ids)
}

// checked replaces CheckLive by a function that gets the reference.
func checked(f func(s *reference, ctx context.Context, ids []store.ID) ([]store.ID, error)) func(*bent) {
	return func(b *bent) {
		b.check = func(ctx context.Context, ids []store.ID) ([]store.ID, error) { return f(b.reference, ctx, ids) }
	}
}

// known returns those of ids that meet a condition, as often as they come.
func known(s *reference, ids []store.ID, cond func(*store.Record) bool) (found []store.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if r := s.records[s.tokens[id]]; r != nil && cond(r) {
			found = append(found, id)
		}
	}
	return found
}

func isLive(r *store.Record) bool { return !r.Expired(now()) }

var checkingMutants = []mutant{
	{"finds everything that has no owner", "check", checked(
		func(s *reference, _ context.Context, ids []store.ID) ([]store.ID, error) {
			return known(s, ids, func(r *store.Record) bool { return r.Owner == "" && isLive(r) }), nil
		})},
	{"finds everything, asked for or not", "check", checked(
		func(s *reference, ctx context.Context, _ []store.ID) ([]store.ID, error) {
			var all []store.ID
			for _, r := range s.snapshot() {
				all = append(all, r.ID)
			}
			return s.CheckLive(ctx, all)
		})},
	{"finds the unknown", "check-gone", checked(
		func(_ *reference, _ context.Context, ids []store.ID) ([]store.ID, error) {
			return slices.Clone(ids), nil
		})},
	{"finds what has expired", "check-expired", checked(
		func(s *reference, _ context.Context, ids []store.ID) ([]store.ID, error) {
			return known(s, ids, func(*store.Record) bool { return true }), nil
		})},
	{"finds the first token only", "check-renewed", func(b *bent) {
		renewed := map[store.ID]bool{}
		b.commit = func(ctx context.Context, token store.Token, c *store.Change) (*store.Record, error) {
			r, err := b.reference.Commit(ctx, token, c)
			if err == nil && c.Renews() {
				renewed[r.ID] = true
			}
			return r, err
		}
		b.check = func(_ context.Context, ids []store.ID) ([]store.ID, error) {
			return known(b.reference, ids, func(r *store.Record) bool { return isLive(r) && !renewed[r.ID] }), nil
		}
	}},
	{"finds twice what it is asked twice", "check-once", checked(
		func(s *reference, _ context.Context, ids []store.ID) ([]store.ID, error) {
			return known(s, ids, isLive), nil
		})},
	{"refuses to check nothing", "check-none", checked(
		func(s *reference, ctx context.Context, ids []store.ID) ([]store.ID, error) {
			if len(ids) == 0 {
				return nil, errBent
			}
			return s.CheckLive(ctx, ids)
		})},
	{"finds everything if it is asked for nothing", "check-none", checked(
		func(s *reference, ctx context.Context, ids []store.ID) ([]store.ID, error) {
			if len(ids) == 0 {
				for _, r := range s.snapshot() {
					ids = append(ids, r.ID)
				}
			}
			return s.CheckLive(ctx, ids)
		})},
	{"checks as many as a statement takes", "check-many", checked(
		func(s *reference, ctx context.Context, ids []store.ID) ([]store.ID, error) {
			return s.CheckLive(ctx, ids[:min(len(ids), 1<<16-1)])
		})},
	{"finds an ID once in each batch", "check-many", checked(
		func(s *reference, ctx context.Context, ids []store.ID) (all []store.ID, _ error) {
			for batch := range slices.Chunk(ids, 1000) {
				live, err := s.CheckLive(ctx, batch)
				if err != nil {
					return nil, err
				}
				all = append(all, live...)
			}
			return all, nil
		})},
	{"sorts what it was lent", "check-borrows", checked(
		func(s *reference, ctx context.Context, ids []store.ID) ([]store.ID, error) {
			slices.SortFunc(ids, func(a, b store.ID) int { return bytes.Compare(a[:], b[:]) })
			return s.CheckLive(ctx, ids)
		})},
	{"answers in what it was lent", "check-borrows", checked(
		func(s *reference, ctx context.Context, ids []store.ID) ([]store.ID, error) {
			live, err := s.CheckLive(ctx, ids)
			return append(ids[:0], live...), err
		})},
	{"finds nothing once it is cancelled", "check-cancelled", checked(
		func(s *reference, ctx context.Context, ids []store.ID) ([]store.ID, error) {
			live, _ := s.CheckLive(ctx, ids)
			return live, nil
		})},
	{"returns a part beside its error", "check-cancelled", checked(
		func(s *reference, ctx context.Context, ids []store.ID) ([]store.ID, error) {
			return known(s, ids, isLive), ctx.Err()
		})},
	{"touches what it checks", "check-prolongs-nothing", checked(
		func(s *reference, ctx context.Context, ids []store.ID) ([]store.ID, error) {
			live, err := s.CheckLive(ctx, ids)
			for _, id := range live {
				s.mu.Lock()
				token := s.tokens[id]
				s.mu.Unlock()
				_, _ = s.Commit(ctx, token, &store.Change{Touched: true})
			}
			return live, err
		})},
}
