package stream

import (
	"context"
	"errors"
)

// A Transactor begins the transaction of one call of a handler, where it hasn't begun yet, and returns it.
type Transactor interface {
	Tx(ctx context.Context) (Tx, error)
}

// A TransactorKey is the key under which the context of a handler has its Transactor. It is for hubs.
type TransactorKey struct{}

// ErrNoTx says that a context is of no call that commits in one step.
var ErrNoTx = errors.New("stream: there is a transaction within Endpoint.Message and Channel.Do only")

// TxFromContext returns the transaction that commits with what the handler does. It is for logs that give programs a
// way into it. It returns ErrNoTx where the context is of no handler, and an error of Log.Begin.
func TxFromContext(ctx context.Context) (Tx, error) {
	t, _ := ctx.Value(TransactorKey{}).(Transactor)
	if t == nil {
		return nil, ErrNoTx
	}
	return t.Tx(ctx)
}

// A Sharer is a log that may be in the same database as the sessions. It is optional.
type Sharer interface {
	// Share returns a context for a handler, on which the session store commits what the handler changes in its session
	// within the transaction of t; or ctx, where the log can't know that they are in the same database.
	Share(ctx context.Context, t Transactor) context.Context
}
