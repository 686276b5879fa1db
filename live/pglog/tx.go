package pglog

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store/postgres"
)

// ErrNoTx says that the context is not of an Endpoint.Message or a Channel.Do of a hub whose log is a Log.
var ErrNoTx = errors.New("pglog: there is a transaction within Endpoint.Message and Channel.Do only")

var errCommits = errors.New("pglog: the transaction commits with the message, and not before")

// Tx returns a transaction that commits with the message that is being handled, or with the Channel.Do: what a handler
// writes through it into tables of its own is there exactly once, as soon as the message counts as handled, and never
// where the message is refused or the handler fails. The transaction begins with the first call of Tx, on a connection
// of the pool, and ends after the handler. It is for the handler's own goroutine.
//
// A statement that fails ends the transaction, and then the message is not handled, unless the handler has put it into
// a savepoint by Begin. A handler may run again, with another transaction, where PostgreSQL ended this one for a
// deadlock. Commit and Rollback of the transaction itself return an error.
//
// It returns ErrNoTx elsewhere, and an error where there is no connection.
func Tx(ctx context.Context) (pgx.Tx, error) {
	t, err := stream.TxFromContext(ctx)
	if errors.Is(err, stream.ErrNoTx) {
		return nil, ErrNoTx
	}
	if err != nil {
		return nil, err
	}
	return open(ctx, t)
}

// open returns the transaction of PostgreSQL to a handler. Logs may stand around this one.
func open(ctx context.Context, t stream.Tx) (pgx.Tx, error) {
	for {
		switch is := t.(type) {
		case *tx:
			return is.open(ctx)
		case interface{ Unwrap() stream.Tx }:
			t = is.Unwrap()
		default:
			return nil, ErrNoTx
		}
	}
}

// open returns the transaction to a handler.
func (t *tx) open(ctx context.Context) (pgx.Tx, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	if err := t.begin(ctx); err != nil {
		return nil, fmt.Errorf("pglog: beginning a transaction: %w", err)
	}
	return handlerTx{t.sql}, nil
}

// A handlerTx is a transaction whose end is not the handler's.
type handlerTx struct{ pgx.Tx }

func (handlerTx) Commit(context.Context) error   { return errCommits }
func (handlerTx) Rollback(context.Context) error { return errCommits }

// Share lets the session store commit within the transaction of t, if Options.Sessions is set. See stream.Sharer.
func (l *Log) Share(ctx context.Context, t stream.Transactor) context.Context {
	if l.Sessions == nil {
		return ctx
	}
	return postgres.Within(ctx, func(ctx context.Context) (pgx.Tx, error) {
		tx, err := t.Tx(ctx)
		if err != nil {
			return nil, err
		}
		return open(ctx, tx)
	})
}
