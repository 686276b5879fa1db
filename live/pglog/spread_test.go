package pglog_test

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"testing"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/live/pglog"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/live/stream/streamtest"
)

// A spread log sends each call to the next server's log. So what one server has done is asked of another one, and every
// rule holds for the farm as a whole.
type spread struct {
	logs []*pglog.Log
	next atomic.Int64
}

func (s *spread) one() *pglog.Log { return s.logs[s.next.Add(1)%int64(len(s.logs))] }

func (s *spread) Take(ctx context.Context, c *stream.Claim) (*stream.Socket, error) {
	return s.one().Take(ctx, c)
}

func (s *spread) Commit(ctx context.Context, b *stream.Batch) ([]stream.Position, error) {
	return s.one().Commit(ctx, b)
}

func (s *spread) Begin(ctx context.Context) (stream.Tx, error) { return s.one().Begin(ctx) }

func (s *spread) Read(ctx context.Context, n stream.Name, after stream.Position, most int) ([]stream.Message, error) {
	return s.one().Read(ctx, n, after, most)
}

func (s *spread) Channel(ctx context.Context, name string) (*stream.Channel, error) {
	return s.one().Channel(ctx, name)
}

func (s *spread) Sockets(ctx context.Context, f stream.Filter) iter.Seq2[*stream.Socket, error] {
	return s.one().Sockets(ctx, f)
}

func (s *spread) Overdue(ctx context.Context, most int) ([]*stream.Socket, error) {
	return s.one().Overdue(ctx, most)
}

// Watch is told by one server.
func (s *spread) Watch(f func(stream.Name, stream.Position)) (cancel func()) { return s.one().Watch(f) }

func (s *spread) Warm(ctx context.Context, size int) error { return s.one().Warm(ctx, size) }

func (s *spread) Flush(ctx context.Context) error { return s.one().Flush(ctx) }

func (s *spread) Close(ctx context.Context, backup bool) error {
	var errs []error
	for _, l := range s.logs {
		errs = append(errs, l.Close(ctx, backup))
	}
	return errors.Join(errs...)
}

func TestFarm(t *testing.T) {
	pool := pgtest.Pool(t)
	streamtest.Run(t, func(t *testing.T) stream.Log {
		return &spread{logs: []*pglog.Log{open(t, pool, nil), open(t, pool, nil), open(t, pool, nil)}}
	})
}
