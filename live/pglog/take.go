package pglog

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/lazysession/session/live/stream"
)

var errZeroID = errors.New("pglog: a new socket needs an ID")

// Take gives a socket to the caller. See stream.Log.
func (l *Log) Take(ctx context.Context, c *stream.Claim) (*stream.Socket, error) {
	s, err := l.take(ctx, c)
	if err == nil {
		l.beats.add(c.Node)
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
	if err := l.alive(); err != nil {
		return nil, err
	}
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
		return nil, fmt.Errorf("pglog: take: %w", err)
	}
	return s.snapshot(nil), nil
}

// snapshot returns the socket as callers get it.
func (s *socket) snapshot(channels []string) *stream.Socket {
	info := s.info
	info.Out, info.Channels = s.position(), channels
	return &info
}
