package postgres

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A db sends statements, each in one round trip, and acts on what their errors say about the server.
type db struct {
	pool       *pgxpool.Pool
	tellMissed func(err error) // called with the error of each statement that may have events

	otherIsolation atomic.Bool // statements have to ask for read committed (isolation.go)
}

// A statement is what is sent at once.
type statement struct {
	sql    string
	args   []any
	first  *statement // goes before it, in the same transaction; nil: none
	events bool       // it may have events for the watchers

	commits bool // it is the commit of a change, which may be part of another transaction (within.go)
}

// A reader reads the rows of a statement. It need not call their Err method.
type reader func(rows pgx.Rows) error

// query sends a statement and calls read with its rows.
func (d *db) query(ctx context.Context, st statement, read reader) error {
	_, err := d.send(ctx, st, read)
	return err
}

// exec sends a statement that returns no rows, and returns how many it changed.
func (d *db) exec(ctx context.Context, st statement) (changed int64, err error) {
	done, err := d.send(ctx, st, nil)
	return done.RowsAffected(), err
}

// collect sends a statement and returns its rows, each made into a T.
func collect[T any](ctx context.Context, d *db, st statement, each pgx.RowToFunc[T]) (all []T, err error) {
	err = d.query(ctx, st, func(rows pgx.Rows) (err error) {
		all, err = pgx.CollectRows(rows, each)
		return err
	})
	return all, err
}

// ping finds out whether the server answers.
func (d *db) ping(ctx context.Context) error {
	err := d.pool.Ping(ctx)
	d.noted(err)
	return err
}

// send sends a statement and acts on its error. A nil read means that it returns no rows.
func (d *db) send(ctx context.Context, st statement, read reader) (pgconn.CommandTag, error) {
	done, err := d.sendOnConn(ctx, st, read)
	if err != nil {
		d.noted(err)
	}
	if err != nil && st.events {
		d.tellMissed(err)
	}
	return done, err
}

// sendOnConn sends a statement on one of the pool's connections. It acquires the connection itself, so that a timeout
// while it waits for a connection is not taken for a timeout while it waits for an answer.
func (d *db) sendOnConn(ctx context.Context, st statement, read reader) (done pgconn.CommandTag, err error) {
	if begin := st.within(ctx); begin != nil {
		return begin.send(ctx, st, read)
	}
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		return done, unsent{err}
	}
	defer conn.Release()
	switch {
	case st.first != nil || d.otherIsolation.Load():
		return sendInTransaction(ctx, conn.Conn(), st, read)
	case read == nil:
		return conn.Exec(ctx, st.sql, withoutFormats(st.args)...)
	}
	rows, err := conn.Query(ctx, st.sql, st.args...)
	return readAll(rows, err, read)
}

// readAll calls read with the rows of a query, and closes them. Then they have their number and their error.
func readAll(rows pgx.Rows, err error, read reader) (done pgconn.CommandTag, _ error) {
	if err != nil {
		return done, err
	}
	err = read(rows)
	rows.Close()
	if err == nil {
		err = rows.Err()
	}
	return rows.CommandTag(), err
}

// noted is called with the error of every statement. By default, pgx keeps its connections to a server that became
// read-only for as long as that server runs. After a crash it tries its dead connections one by one. So noted resets
// the pool in both cases. It doesn't after a timeout: that is as likely a sign of load, and new connections would add
// to it.
func (d *db) noted(err error) {
	d.noteIsolationChange(err)
	if hasCode(err, readOnlyTransaction) || connectionLost(err) && !timedOut(err) && !errors.Is(err, context.Canceled) {
		d.pool.Reset()
	}
}
