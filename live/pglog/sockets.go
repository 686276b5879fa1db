package pglog

import (
	"context"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lazysession/session/live/stream"
)

const socketPage = 500

// Sockets yields the sockets that match the filter, in the order of their IDs. See stream.Log.
func (l *Log) Sockets(ctx context.Context, f stream.Filter) iter.Seq2[*stream.Socket, error] {
	return func(yield func(*stream.Socket, error) bool) {
		var after stream.ID
		for {
			if err := l.alive(); err != nil {
				yield(nil, err)
				return
			}
			found, err := l.collect(ctx, l.sql.sockets, uuid(after), ifSet(f.ID), ifSet(f.Session), ifText(f.Owner),
				ifText(f.Channel), socketPage)
			if err != nil {
				yield(nil, fmt.Errorf("pglog: sockets: %w", err))
				return
			}
			for _, s := range found {
				if !yield(s, nil) {
					return
				}
			}
			if len(found) < socketPage {
				return
			}
			after = found[len(found)-1].ID
		}
	}
}

func ifSet(id [16]byte) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: id != [16]byte{}} }

func ifText(text string) []byte {
	if text == "" {
		return nil
	}
	return []byte(text)
}

// collect returns the sockets of a query, each with its channels.
func (l *Log) collect(ctx context.Context, sql string, args ...any) ([]*stream.Socket, error) {
	rows, err := l.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (*stream.Socket, error) {
		var channels [][]byte
		s, err := scanSocket(row, &channels)
		if err != nil {
			return nil, err
		}
		var names []string
		for _, name := range channels {
			names = append(names, string(name))
		}
		return s.snapshot(names), nil
	})
}
