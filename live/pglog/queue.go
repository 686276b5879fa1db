package pglog

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/live/stream"
)

const (
	workers   = 2               // groups that are on their way at the same time
	groupSize = 64              // requests of one group
	groupTime = 5 * time.Second // that a group may take
)

// A queue gathers what waits while the database works, so that many requests share a transaction.
type queue struct {
	mu sync.Mutex
	// mu locks the remaining fields.
	waiting []*request
	busy    map[stream.ID]bool // the sockets of requests that are on their way
	working int
	closed  bool
}

// submit runs a request in a group, and returns when it is done. A request that has not begun yet can be given up.
func (l *Log) submit(ctx context.Context, r *request) error {
	r.done = make(chan struct{})
	q := &l.queue
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return stream.ErrClosed
	}
	q.waiting = append(q.waiting, r)
	if q.working < workers {
		q.working++
		l.running.Go(l.work)
	}
	q.mu.Unlock()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
	}
	if q.giveUp(r) {
		return context.Cause(ctx)
	}
	<-r.done // what it borrows is still used
	return r.err
}

// giveUp takes a request out of the queue. It reports false where it has begun.
func (q *queue) giveUp(r *request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	at := slices.Index(q.waiting, r)
	if at < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, at, at+1)
	return true
}

// next returns the next group: none where there is nothing that can go. Of one socket only one request is on its way.
func (q *queue) next() (group []*request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(r *request) bool {
		id := r.id()
		if len(group) == groupSize || q.busy[id] || len(group) > 0 && group[0].plain() != r.plain() {
			return false
		}
		if !id.IsZero() {
			q.busy[id] = true
		}
		group = append(group, r)
		return true
	})
	if len(group) == 0 {
		q.working--
	}
	return group
}

// finish ends the requests of a group.
func (q *queue) finish(group []*request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range group {
		delete(q.busy, r.id())
		close(r.done)
	}
}

// work runs groups for as long as something waits.
func (l *Log) work() {
	for {
		group := l.queue.next()
		if len(group) == 0 {
			return
		}
		l.runGroup(group)
		l.queue.finish(group)
	}
}

// runGroup runs a group. Where PostgreSQL refuses it as a whole, each request goes alone, so that none suffers for
// another one.
func (l *Log) runGroup(group []*request) {
	ctx, cancel := context.WithTimeout(context.Background(), groupTime)
	defer cancel()
	err := l.runOnce(ctx, group)
	if err == nil {
		return
	}
	if len(group) > 1 && refused(err) {
		for _, r := range group {
			r.err = nil
			l.runGroup([]*request{r})
		}
		return
	}
	for try := 1; try < 5 && deadlocked(err); try++ {
		for _, r := range group {
			r.err = nil
		}
		if err = l.runOnce(ctx, group); err == nil {
			return
		}
	}
	for _, r := range group {
		r.err = fmt.Errorf("pglog: commit: %w", err)
	}
}

func (l *Log) runOnce(ctx context.Context, group []*request) error {
	if first := group[0]; len(group) == 1 && first.batch != nil && len(first.batch.Ops) > 0 {
		if data, ok := first.answers(); ok {
			if done, err := l.runAnswer(ctx, first, data); done || err != nil {
				return err
			}
		}
	}
	if group[0].plain() {
		return l.runPlain(ctx, group)
	}
	return l.pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error { return l.run(ctx, c.Conn(), true, nil, group...) })
}
