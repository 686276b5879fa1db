package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/store"
)

// What this package promises, it promises for statements that see what was committed until they began: at read
// committed, which is PostgreSQL's default. A server, a database, a role or a pool can set another default. Then each
// statement is sent as a transaction that asks for read committed.
const begin = "BEGIN ISOLATION LEVEL READ COMMITTED"

// sender returns what single statements are sent with.
func (s *Store) sender() sender {
	if s.otherIsolation.Load() {
		return transaction{pool: s.pool}
	}
	return s.pool
}

// lockOwnersSQL waits for the locks of the owners of whom a change is: the one that it sets, and the one that the
// session has before it. Nobody has a lock, or all first logins of a farm would wait for each other. All who lock two
// lock them in the same order.
const lockOwnersSQL = `SELECT pg_advisory_xact_lock(hash) FROM (
	SELECT hashtextextended($1 || owner, 0) AS hash FROM (
		SELECT $2::text UNION SELECT s.owner FROM {{sessions}} s WHERE s.token = $3 AND s.owner <> ''
	) AS owners (owner) ORDER BY hash
) AS locks`

// ownerLocked returns what a statement is sent with that needs the lock of an owner, and of the owner before of the
// session with a token. The statement itself sees what was committed until it had the lock.
//
// Locks of owners come before any row's lock: who waits for one holds no row, so two changes that come together from
// opposite sides can't wait for each other. Should a session move to another owner before the locks are taken,
// PostgreSQL still finds a deadlock and undoes one of the two, and Commit tries it again.
func (s *Store) ownerLocked(owner string, token []byte) sender {
	return transaction{pool: s.pool, first: s.sql.lockOwners, firstArgs: []any{s.ownerLock(""), owner, token}}
}

// ownerLock is the name of an owner's lock.
func (s *settings) ownerLock(owner string) string { return s.lockName("owner/" + owner) }

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

// limited reports whether a change sets an owner who may have only so many sessions.
func limited(c *store.Change) bool { return setsOwner(c) && c.MaxPerOwner > 0 }

// setsOwner reports whether a change makes a session somebody's.
func setsOwner(c *store.Change) bool { return c.Owner != nil && *c.Owner != "" }

// readIsolation notes whether statements need to ask for read committed.
func (s *Store) noteIsolation(isolation string) {
	s.otherIsolation.Store(isolation != "read committed")
}

// isolationChanged notes, and reports, that a statement failed as none does at read committed: the default has changed
// since Open. It was undone for sure.
func (s *Store) isolationChanged(err error) bool {
	if !hasCode(err, serializationFailure) {
		return false
	}
	s.otherIsolation.Store(true)
	return true
}
