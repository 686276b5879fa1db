package pglog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lazysession/session/live/stream"
)

const (
	beatEvery = time.Second
	deadAfter = 10 * time.Second // without a beat
)

// beats are the nodes that take sockets by this log.
type beats struct {
	mu sync.Mutex
	// mu locks the remaining field.
	nodes []string
}

// knows reports whether a node was added.
func (b *beats) knows(node string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.nodes, node)
}

func (b *beats) add(node string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Contains(b.nodes, node) {
		b.nodes = append(b.nodes, node)
	}
}

// register makes a node known to all servers before it takes its first socket: if it dies, they have to miss it.
func (l *Log) register(ctx context.Context, node string) error {
	if l.beats.knows(node) {
		return nil
	}
	if _, err := l.pool.Exec(ctx, l.sql.beat, []string{node}); err != nil {
		return fmt.Errorf("pglog: making a node known: %w", err)
	}
	l.beats.add(node)
	return nil
}

func (b *beats) all() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.nodes)
}

// tend beats, polls, and gives the tables their turns, until Close.
func (l *Log) tend() {
	beat, poll := time.NewTicker(beatEvery), time.NewTicker(l.Poll)
	defer beat.Stop()
	defer poll.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-beat.C:
			l.upkeep("the beat of this server failed", l.beat)
			l.upkeep("sockets whose making was in doubt could not be removed", l.removeDoubtful)
			l.upkeep("the tables of messages could not take turns", l.rotate)
		case <-poll.C:
			l.upkeep("polling failed", l.poll)
		}
	}
}

func (l *Log) upkeep(failure string, do func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), groupTime)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-l.done:
			cancel()
		case <-stop:
		}
	}()
	if err := do(ctx); err != nil && l.alive() == nil {
		l.warn(failure, err)
	}
}

func (l *Log) beat(ctx context.Context) error {
	nodes := l.beats.all()
	if len(nodes) == 0 {
		return nil
	}
	_, err := l.pool.Exec(ctx, l.sql.beat, nodes)
	return err
}

// rotate lets the next table of messages have its turn, and truncates the one whose turn is after that.
func (l *Log) rotate(ctx context.Context) error {
	return pgx.BeginFunc(ctx, l.pool, func(t pgx.Tx) error {
		var turn int64
		err := t.QueryRow(ctx, l.sql.turnDue, l.Keep).Scan(&turn)
		if errors.Is(err, pgx.ErrNoRows) { // it is not time, or another server does it
			return nil
		}
		if err != nil {
			return err
		}
		// A long reader, such as a backup, delays the truncation until the next try. Without a limit all others would
		// wait behind it.
		if _, err := t.Exec(ctx, "SET LOCAL lock_timeout = '100ms'"); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, "TRUNCATE "+l.table(fmt.Sprintf("messages%d", (turn+2)%3))); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, l.sql.turn); err != nil {
			return err
		}
		_, err = t.Exec(ctx, l.sql.forgetNodes)
		return err
	})
}

// Overdue returns sockets that did not come back in time. See stream.Log. Those of a server that has died are away from
// the moment at which that is found.
func (l *Log) Overdue(ctx context.Context, limit int) ([]*stream.Socket, error) {
	if err := l.alive(); err != nil {
		return nil, err
	}
	if err := l.mourn(ctx, limit); err != nil {
		return nil, err
	}
	late, err := l.collect(ctx, l.sql.overdue, limit)
	if err != nil {
		return nil, fmt.Errorf("pglog: overdue: %w", err)
	}
	return late, nil
}

// mourn makes sockets away whose node has died, and fences that node.
func (l *Log) mourn(ctx context.Context, limit int) error {
	rows, err := l.pool.Query(ctx, l.sql.orphans, deadAfter, limit)
	if err != nil {
		return fmt.Errorf("pglog: looking for dead servers: %w", err)
	}
	orphans, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (lease stream.Lease, err error) {
		var id pgtype.UUID
		err = row.Scan(&id, &lease.Incarnation)
		lease.Socket = id.Bytes
		return lease, err
	})
	if err != nil {
		return fmt.Errorf("pglog: looking for dead servers: %w", err)
	}
	for _, lease := range orphans {
		err := l.submit(ctx, &request{claim: &stream.Claim{ID: lease.Socket}, orphan: &lease, window: l.Return})
		if err != nil && !errors.Is(err, stream.ErrNotFound) {
			return err
		}
	}
	return nil
}
