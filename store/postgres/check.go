package postgres

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lazysession/session/store"
)

// checkMost is how many IDs one statement looks for: some milliseconds of work, and 16 kB on the wire.
const checkMost = 1000

const checkSQL = `SELECT s.id FROM {{sessions}} s WHERE s.id = ANY ($1::uuid[]) AND ` + live

var _ store.Checker = (*Store)(nil)

// CheckLive returns those of ids whose sessions are live, by the database's clock. It sends one statement for each
// 1,000 IDs, so a session that ends meanwhile may be among them or not.
func (s *Store) CheckLive(ctx context.Context, ids []store.ID) ([]store.ID, error) {
	var all []store.ID
	for batch := range slices.Chunk(sortedIDs(ids), checkMost) {
		live, err := s.checkBatch(ctx, batch)
		if err != nil {
			return nil, fmt.Errorf("postgres: check: %w", err)
		}
		all = append(all, live...)
	}
	return all, nil
}

// sortedIDs returns IDs each once, and in the order of the index that they are looked for in.
func sortedIDs(ids []store.ID) []store.ID {
	sorted := slices.Clone(ids)
	slices.SortFunc(sorted, func(a, b store.ID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(sorted)
}

// checkBatch looks for a batch. A connection that breaks is no reason to give up, as in Load: events are missed when
// connections break, and then a check follows.
func (s *Store) checkBatch(ctx context.Context, batch []store.ID) (live []store.ID, err error) {
	ids := make([]pgtype.UUID, len(batch))
	for i, id := range batch {
		ids[i] = uuid(id)
	}
	live, err = s.checkOnce(ctx, ids)
	if connectionLost(err) && patient(ctx) {
		live, err = s.checkOnce(ctx, ids)
	}
	return live, err
}

func (s *Store) checkOnce(ctx context.Context, ids []pgtype.UUID) ([]store.ID, error) {
	st := statement{sql: s.sql.check, args: []any{ids}}
	return collect(ctx, &s.db, st, func(row pgx.CollectableRow) (store.ID, error) {
		var id [16]byte
		err := row.Scan(&id)
		return id, err
	})
}
