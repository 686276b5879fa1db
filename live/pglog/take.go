package pglog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lazysession/session/live/stream"
)

var errZeroID = errors.New("pglog: a new socket needs an ID")

// Take gives a socket to the caller. See stream.Log.
func (l *Log) Take(ctx context.Context, c *stream.Claim) (*stream.Socket, error) {
	if err := l.alive(); err != nil {
		return nil, err
	}
	if err := l.register(ctx, c.Node); err != nil {
		return nil, err
	}
	s, err := l.take(ctx, c)
	if err == nil {
		l.interest.socket(s)
	}
	return s, err
}

func (l *Log) take(ctx context.Context, c *stream.Claim) (*stream.Socket, error) {
	if c.New {
		return l.takeNew(ctx, c)
	}
	r := &request{claim: c}
	if err := l.submit(ctx, r); err != nil {
		return nil, err
	}
	return r.socket, nil
}

func (l *Log) takeNew(ctx context.Context, c *stream.Claim) (*stream.Socket, error) {
	if c.ID.IsZero() {
		return nil, errZeroID
	}
	q := newLine()
	s, err := scanSocket(l.pool.QueryRow(ctx, l.sql.takeNew, uuid(c.ID), uuid(c.Session), q.sid, q.keep.Age.Microseconds(),
		int64(q.keep.Messages), int64(q.keep.Bytes), q.epoch, c.Node, []byte(c.Endpoint), []byte(c.Owner)))
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, stream.ErrTaken
	case err != nil:
		l.doubts.add(c.ID)
		return nil, fmt.Errorf("pglog: take: %w", err)
	}
	return s.snapshot(nil), nil
}

// doubts are new sockets whose making failed. They may be there all the same, also some time later, and nobody will
// ever ask for them.
type doubts struct {
	mu sync.Mutex
	// mu locks the remaining field.
	until map[stream.ID]time.Time
}

// doubtful is how long the database may still make a socket after its making has failed.
const doubtful = 30 * time.Second

func (d *doubts) add(id stream.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.until[id] = time.Now().Add(doubtful)
}

func (d *doubts) all() []stream.ID {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.until))
}

// removed drops those whose time is over.
func (d *doubts) removed() {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(d.until, func(_ stream.ID, until time.Time) bool { return until.Before(now) })
}

// removeDoubtful removes sockets that are in doubt.
func (l *Log) removeDoubtful(ctx context.Context) error {
	ids := l.doubts.all()
	if len(ids) == 0 {
		return nil
	}
	if _, err := l.pool.Exec(ctx, l.sql.removeDoubtful, uuids(ids)); err != nil {
		return err
	}
	l.doubts.removed()
	return nil
}

// snapshot returns the socket as callers get it.
func (s *socket) snapshot(channels []string) *stream.Socket {
	info := s.info
	info.Out, info.Channels = s.position(), channels
	return &info
}
