package pglog

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/live/stream"
)

// A Log keeps live sockets in PostgreSQL. Its methods may be called by many goroutines at once.
type Log struct {
	*settings
	sql  texts
	pool *pgxpool.Pool
	name string // in notifications

	queue    queue
	watchers watchers
	interest interest
	beats    beats
	doubts   doubts
	txs      chan struct{} // has an element for each transaction that has a connection
	ahead    atomic.Int64  // how far the database's clock is ahead of this server's, in nanoseconds

	done    chan struct{} // closed by Close
	closing sync.Once
	running sync.WaitGroup
}

var (
	_ stream.Log    = (*Log)(nil)
	_ stream.Clock  = (*Log)(nil)
	_ stream.Sharer = (*Log)(nil)
)

// Open returns a Log on the tables that Migrate created. A nil o means the defaults. The caller owns the pool, and
// closes it after the Log.
//
// It returns ErrNoSchema or ErrOldSchema if Migrate has to run, ErrNewSchema if this program is too old, and an error
// if PostgreSQL can't be reached. Unless Options.NoListen is set, the Log has one more connection, on which it listens.
func Open(ctx context.Context, pool *pgxpool.Pool, o *Options) (*Log, error) {
	set, err := o.settings()
	if err != nil {
		return nil, err
	}
	if pool == nil {
		return nil, errNoPool
	}
	if err := set.checkTables(ctx, pool); err != nil {
		return nil, err
	}
	l := &Log{
		settings: set, sql: newTexts(set), pool: pool, name: rand.Text(),
		queue:    queue{busy: map[stream.ID]bool{}},
		watchers: watchers{all: map[int]func(stream.Name, stream.Position){}, pending: map[stream.Name]stream.Position{}},
		interest: newInterest(),
		doubts:   doubts{until: map[stream.ID]time.Time{}},
		txs:      make(chan struct{}, max(1, int(pool.Config().MaxConns)/2)),
		done:     make(chan struct{}),
	}
	if err := l.readClock(ctx); err != nil {
		return nil, err
	}
	if err := l.listen(ctx); err != nil {
		return nil, err
	}
	l.running.Go(l.tend)
	return l, nil
}

func (l *Log) readClock(ctx context.Context) error {
	var now time.Time
	asked := time.Now()
	if err := l.pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now); err != nil {
		return fmt.Errorf("pglog: reading the database's clock: %w", err)
	}
	l.ahead.Store(int64(now.Sub(asked.Add(time.Since(asked) / 2))))
	return nil
}

// Now returns the time by the database's clock, as far as this server knows it.
func (l *Log) Now() time.Time { return time.Now().Add(time.Duration(l.ahead.Load())) }

// Warm makes sure that the database answers. It has nothing to prepare.
func (l *Log) Warm(ctx context.Context, _ int) error {
	if err := l.alive(); err != nil {
		return err
	}
	return l.pool.Ping(ctx)
}

// Flush does nothing: a commit that has returned is as durable as the database's settings make it.
func (l *Log) Flush(context.Context) error { return l.alive() }

// alive returns ErrClosed where the log is closed.
func (l *Log) alive() error {
	select {
	case <-l.done:
		return stream.ErrClosed
	default:
		return nil
	}
}

// Close ends the log's work, and waits for it. The tables stay as they are: they are the archive, whatever backup says,
// and another server may be at work on them. It does not close the pool.
func (l *Log) Close(context.Context, bool) error {
	l.closing.Do(func() {
		l.queue.close()
		l.watchers.close()
		close(l.done)
	})
	l.running.Wait()
	return nil
}

// close refuses what comes from now on.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

func (l *Log) warn(what string, err error) {
	l.Logger.LogAttrs(context.Background(), slog.LevelWarn, "pglog: "+what, slog.Any("error", err))
}
