package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

type withinKey struct{}

// A beginner begins a transaction at its first call, and returns it.
type beginner func(context.Context) (pgx.Tx, error)

// Within returns a context on which [Store.Commit] is part of a transaction of the store's database: what it changes is
// there once that transaction commits, and only then. begin is called for each such commit, and returns the
// transaction. It must have the isolation level "read committed".
//
// A change that makes a session, renews its token, or counts towards a limit per owner is committed by itself all the
// same, since other servers are told of it. So are loads, which don't see what the transaction has changed so far; the
// record that Commit returns has it. Where a statement of Commit fails, PostgreSQL lets the transaction do nothing
// more.
//
// The session's row stays locked until the transaction ends, so that other requests of the session wait with their
// commits.
func Within(ctx context.Context, begin func(context.Context) (pgx.Tx, error)) context.Context {
	return context.WithValue(ctx, withinKey{}, beginner(begin))
}

// within returns what Within was given; nil where the statement goes by itself.
func (st statement) within(ctx context.Context) beginner {
	if !st.commits || st.events || st.first != nil {
		return nil
	}
	begin, _ := ctx.Value(withinKey{}).(beginner)
	return begin
}

// send sends a statement within the transaction.
func (begin beginner) send(ctx context.Context, st statement, read reader) (done pgconn.CommandTag, err error) {
	tx, err := begin(ctx)
	if err != nil {
		return done, unsent{err}
	}
	if read == nil {
		return tx.Exec(ctx, st.sql, withoutFormats(st.args)...)
	}
	rows, err := tx.Query(ctx, st.sql, st.args...)
	return readAll(rows, err, read)
}
