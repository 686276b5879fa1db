package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A transaction is a sender that sends BEGIN, perhaps a first statement, the statement, and COMMIT, all at once. So it
// takes one round trip, and the server has all it needs to finish: a client that stops, or whose network does, holds no
// lock that others wait for.
type transaction struct {
	pool      *pgxpool.Pool
	first     string // "": none
	firstArgs []any
}

// Query sends a statement that returns rows. It is committed once the rows are closed.
func (t transaction) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	conn, err := t.pool.Acquire(ctx)
	if err != nil {
		return nil, unsent{err}
	}
	batch := t.batch(sql, args)
	results := conn.SendBatch(ctx, batch)
	rows := &transactionRows{ctx: ctx, conn: conn, results: results}
	const own = 2 // the statement, and COMMIT
	for range batch.Len() - own {
		if _, err := results.Exec(); err != nil {
			rows.finish(err)
			return nil, err
		}
	}
	if rows.Rows, err = results.Query(); err != nil {
		rows.finish(err)
		return nil, err
	}
	return rows, nil
}

func (t transaction) batch(sql string, args []any) *pgx.Batch {
	batch := new(pgx.Batch)
	batch.Queue(begin)
	if t.first != "" {
		batch.Queue(t.first, t.firstArgs...)
	}
	if len(args) > 0 {
		if _, isOption := args[0].(pgx.QueryResultFormats); isOption {
			args = args[1:] // a batch has no such option
		}
	}
	batch.Queue(sql, args...)
	batch.Queue("COMMIT")
	return batch
}

// Exec sends a statement that returns none.
func (t transaction) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	rows, err := t.Query(ctx, sql, args...)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	rows.Close()
	return rows.CommandTag(), rows.Err()
}

// transactionRows are the rows of the statement in a transaction. Their Err knows of the COMMIT once they are closed.
type transactionRows struct {
	pgx.Rows
	ctx     context.Context
	conn    *pgxpool.Conn
	results pgx.BatchResults
	closed  bool
	err     error
}

func (r *transactionRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *transactionRows) Close() {
	if r.closed {
		return
	}
	r.Rows.Close()
	r.finish(r.Rows.Err())
}

func (r *transactionRows) Err() error {
	if r.closed {
		return r.err
	}
	return r.Rows.Err()
}

// finish reads the answer to COMMIT, unless there was an error, and gives the connection back. The pool would throw it
// away with its failed transaction.
func (r *transactionRows) finish(err error) {
	const failed = 'E'
	r.closed, r.err = true, err
	if err := r.results.Close(); r.err == nil {
		r.err = err
	}
	if r.conn.Conn().PgConn().TxStatus() == failed {
		_, _ = r.conn.Exec(r.ctx, "ROLLBACK") // if that fails, the pool does throw it away
	}
	r.conn.Release()
}
