package pglog

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lazysession/session/live/stream"
)

// An interest is the streams of this server: those of the sockets that it has taken, of their channels, and what was
// read. Each has the top that was told last. Their tops are polled, in case a hint was lost.
type interest struct {
	mu sync.Mutex
	// mu locks the remaining fields.
	tops   map[stream.Name]stream.Position
	leases map[stream.ID]uint64
}

func newInterest() interest {
	return interest{tops: map[stream.Name]stream.Position{}, leases: map[stream.ID]uint64{}}
}

// socket notes a socket that was taken.
func (i *interest) socket(s *stream.Socket) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.leases[s.ID] = s.Incarnation
	i.tops[stream.Own(s.ID)] = s.Out
}

// batch notes what a batch has joined and ended.
func (i *interest) batch(b *stream.Batch) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, op := range b.Ops {
		switch op.Kind {
		case stream.Join:
			if name := stream.Of(op.Channel); i.tops[name] == (stream.Position{}) {
				i.tops[name] = stream.Position{}
			}
		case stream.End:
			delete(i.leases, b.Lease.Socket)
			delete(i.tops, stream.Own(b.Lease.Socket))
		}
	}
}

// note notes how far a stream has grown, if it is of interest or was read.
func (i *interest) note(h hint) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if was, known := i.tops[h.stream]; known && (was.Epoch != h.top.Epoch || was.Number < h.top.Number) {
		i.tops[h.stream] = h.top
	}
}

// poll asks how far the streams of interest have grown, and tells the watchers of this process.
func (l *Log) poll(ctx context.Context) error {
	i := &l.interest
	i.mu.Lock()
	tops, leases := maps.Clone(i.tops), maps.Clone(i.leases)
	i.mu.Unlock()
	var ids []pgtype.UUID
	var channels [][]byte
	for name := range tops {
		if id, ok := name.Socket(); ok {
			ids = append(ids, uuid(id))
		} else if channel, ok := name.Channel(); ok {
			channels = append(channels, []byte(channel))
		}
	}
	var told hints
	found := map[stream.Name]bool{}
	see := func(name stream.Name, top stream.Position, taken bool) {
		found[name] = true
		if taken || tops[name] != top {
			told = append(told, hint{name, top})
		}
	}
	for chunk := range slices.Chunk(ids, 1000) {
		rows, err := l.pool.Query(ctx, l.sql.topsOfSockets, chunk)
		if err != nil {
			return err
		}
		var id pgtype.UUID
		var incarnation uint64
		var top stream.Position
		_, err = pgx.ForEachRow(rows, []any{&id, &incarnation, &top.Epoch, &top.Number}, func() error {
			see(stream.Own(id.Bytes), top, incarnation != leases[id.Bytes])
			return nil
		})
		if err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(channels, 1000) {
		rows, err := l.pool.Query(ctx, l.sql.topsOf, chunk)
		if err != nil {
			return err
		}
		var channel []byte
		var top stream.Position
		_, err = pgx.ForEachRow(rows, []any{&channel, &top.Epoch, &top.Number}, func() error {
			see(stream.Of(string(channel)), top, false)
			return nil
		})
		if err != nil {
			return err
		}
	}
	l.tellHere(told)
	i.mu.Lock()
	defer i.mu.Unlock()
	for name := range tops {
		id, isSocket := name.Socket()
		if !found[name] && i.tops[name] == tops[name] { // it is there no more
			delete(i.tops, name)
			if isSocket {
				delete(i.leases, id)
			}
		}
	}
	for _, h := range told {
		id, isSocket := h.stream.Socket()
		if isSocket && i.leases[id] == leases[id] && h.top == tops[h.stream] { // it was taken by another node, which is told once
			delete(i.leases, id)
			delete(i.tops, h.stream)
		}
	}
	return nil
}
