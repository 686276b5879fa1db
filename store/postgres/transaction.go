package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// sendInTransaction sends BEGIN, perhaps a first statement, the statement, and COMMIT, all at once. So it takes one
// round trip, and the server needs nothing more to finish. If the client or the network stops, no lock stays held.
func sendInTransaction(ctx context.Context, conn *pgx.Conn, st statement, read reader) (pgconn.CommandTag, error) {
	batch := st.batch()
	results := conn.SendBatch(ctx, batch)
	done, err := readResults(results, batch.Len(), read)
	if commitErr := results.Close(); err == nil {
		err = commitErr
	}
	rollBack(ctx, conn)
	return done, err
}

// batch returns the statement as a transaction.
func (st statement) batch() *pgx.Batch {
	batch := new(pgx.Batch)
	batch.Queue(begin)
	if st.first != nil {
		batch.Queue(st.first.sql, st.first.args...)
	}
	batch.Queue(st.sql, withoutFormats(st.args)...)
	batch.Queue("COMMIT")
	return batch
}

// withoutFormats returns arguments without the option for the formats of results, which only a query has.
func withoutFormats(args []any) []any {
	if len(args) > 0 {
		if _, isOption := args[0].(pgx.QueryResultFormats); isOption {
			return args[1:]
		}
	}
	return args
}

// readResults calls read with the rows of the statement. The statements before it have none, and COMMIT is the last
// one.
func readResults(results pgx.BatchResults, queued int, read reader) (done pgconn.CommandTag, err error) {
	const own = 2 // the statement, and COMMIT
	for range queued - own {
		if _, err := results.Exec(); err != nil {
			return done, err
		}
	}
	if read == nil {
		return results.Exec()
	}
	rows, err := results.Query()
	return readAll(rows, err, read)
}

// rollBack ends a transaction that failed. Otherwise the pool would close the connection.
func rollBack(ctx context.Context, conn *pgx.Conn) {
	const failed = 'E'
	if conn.PgConn().TxStatus() == failed {
		_, _ = conn.Exec(ctx, "ROLLBACK") // if that fails, the pool closes the connection
	}
}
