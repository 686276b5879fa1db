package pglog

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/live/stream"
)

// A tx is a transaction. It has a connection, and a transaction of PostgreSQL, from its first use on.
type tx struct {
	l      *Log
	conn   *pgxpool.Conn
	sql    pgx.Tx           // on conn
	held   map[string]int64 // the channels that Hold has returned, and the sid of each
	failed error
	ended  bool
}

var errTxEnded = errors.New("pglog: the transaction has ended")

// Begin starts a transaction. See stream.Log.
func (l *Log) Begin(context.Context) (stream.Tx, error) {
	if err := l.alive(); err != nil {
		return nil, err
	}
	return &tx{l: l}, nil
}

// usable returns why the transaction can't go on.
func (t *tx) usable() error {
	switch {
	case t.ended:
		return errTxEnded
	case t.failed != nil:
		return t.failed
	}
	return t.l.alive()
}

// Hold holds a channel, and returns it as it is. See stream.Tx.
func (t *tx) Hold(ctx context.Context, name string) (*stream.Channel, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	c, err := t.hold(ctx, name)
	if err != nil {
		t.failed = fmt.Errorf("pglog: hold: %w", txError(err))
		return nil, t.failed
	}
	return c, nil
}

func (t *tx) hold(ctx context.Context, name string) (*stream.Channel, error) {
	if err := t.lock(ctx, []string{name}); err != nil {
		return nil, err
	}
	c, err := t.l.readWhole(ctx, t.conn.Conn(), name)
	if err != nil {
		return nil, err
	}
	if t.held == nil {
		t.held = map[string]int64{}
	}
	t.held[name] = c.sid
	return &c.is, nil
}

// lock waits until no other transaction edits the channels.
func (t *tx) lock(ctx context.Context, names []string) error {
	if err := t.begin(ctx); err != nil || len(names) == 0 {
		return err
	}
	_, err := t.conn.Exec(ctx, "SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) AS k", t.l.locks("state", names))
	return err
}

// limitIdle has PostgreSQL end a transaction whose server stands still, since others wait for it.
const limitIdle = "SET LOCAL idle_in_transaction_session_timeout = '10s'"

// begin begins a transaction of PostgreSQL. So many have a connection at a time that others are left for what is not
// in a transaction.
func (t *tx) begin(ctx context.Context) error {
	if t.conn != nil {
		return nil
	}
	select {
	case t.l.txs <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	conn, err := t.l.pool.Acquire(ctx)
	if err != nil {
		<-t.l.txs
		return err
	}
	sql, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		conn.Release()
		<-t.l.txs
		return err
	}
	t.conn, t.sql = conn, sql
	_, err = sql.Exec(ctx, limitIdle)
	return err
}

// Commit applies a batch as the end of the transaction. See stream.Tx.
func (t *tx) Commit(ctx context.Context, b *stream.Batch) ([]stream.Position, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	if err := check(b); err != nil {
		return nil, err
	}
	at, err := t.commit(ctx, b)
	if t.failed = err; err == nil {
		t.l.interest.batch(b)
		t.Rollback()
	}
	return at, err
}

func (t *tx) commit(ctx context.Context, b *stream.Batch) ([]stream.Position, error) {
	var edited []string
	for _, op := range b.Ops {
		if _, held := t.held[op.Channel]; op.Kind == stream.Edit && !held {
			edited = append(edited, op.Channel)
		}
	}
	if err := t.lock(ctx, distinct(edited)); err != nil {
		return nil, fmt.Errorf("pglog: commit: %w", txError(err))
	}
	r := &request{batch: b}
	if err := t.l.run(ctx, t.conn.Conn(), false, t.held, r); err != nil {
		return nil, fmt.Errorf("pglog: commit: %w", txError(err))
	}
	return r.at, r.err
}

// Rollback ends the transaction. See stream.Tx.
func (t *tx) Rollback() {
	t.ended = true
	if t.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), groupTime)
	defer cancel()
	if t.conn.Conn().PgConn().TxStatus() != 'I' {
		_ = t.sql.Rollback(ctx) // the pool closes a connection that is still in a transaction
	}
	t.conn.Release()
	t.conn, t.sql = nil, nil
	<-t.l.txs
}
