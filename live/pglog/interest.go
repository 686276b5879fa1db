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

// An interest is the streams of this server: those of the sockets that it has taken, and of their channels. Each has
// the top that was told last. Their tops are polled, in case a hint was lost.
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
				i.tops[name] = stream.Position{} // it is of interest from now on
			}
		case stream.End:
			i.dropLocked(stream.Own(b.Lease.Socket))
		}
	}
}

// note notes how far a stream has grown, if it is of interest.
func (i *interest) note(h hint) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if was, known := i.tops[h.stream]; known && (was.Epoch != h.top.Epoch || was.Number < h.top.Number) {
		i.tops[h.stream] = h.top
	}
}

// A survey asks how far the streams of interest have grown.
type survey struct {
	tops   map[stream.Name]stream.Position // as they were told last
	leases map[stream.ID]uint64
	found  map[stream.Name]bool
	taken  []stream.ID // by another node
	told   hints
}

// poll asks how far the streams of interest have grown, and tells the watchers of this process.
func (l *Log) poll(ctx context.Context) error {
	s := l.interest.survey()
	if err := l.surveySockets(ctx, s); err != nil {
		return err
	}
	if err := l.surveyChannels(ctx, s); err != nil {
		return err
	}
	l.tellHere(s.told)
	l.interest.forget(s)
	return nil
}

func (i *interest) survey() *survey {
	i.mu.Lock()
	defer i.mu.Unlock()
	return &survey{tops: maps.Clone(i.tops), leases: maps.Clone(i.leases), found: map[stream.Name]bool{}}
}

// see notes where a stream's top is now.
func (s *survey) see(name stream.Name, top stream.Position) {
	s.found[name] = true
	if s.tops[name] != top {
		s.told = append(s.told, hint{name, top})
	}
}

// pollSize is how many rows one statement asks for.
const pollSize = 1000

func (l *Log) surveySockets(ctx context.Context, s *survey) error {
	var ids []pgtype.UUID
	for name := range s.tops {
		if id, ok := name.Socket(); ok {
			ids = append(ids, uuid(id))
		}
	}
	for some := range slices.Chunk(ids, pollSize) {
		rows, err := l.pool.Query(ctx, l.sql.topsOfSockets, some)
		if err != nil {
			return err
		}
		var id pgtype.UUID
		var incarnation uint64
		var top stream.Position
		_, err = pgx.ForEachRow(rows, []any{&id, &incarnation, &top.Epoch, &top.Number}, func() error {
			name := stream.Own(id.Bytes)
			s.see(name, top)
			if lease, ours := s.leases[id.Bytes]; ours && lease != incarnation {
				s.taken = append(s.taken, id.Bytes)
				s.told = append(s.told, hint{name, top}) // so that the hub asks for its lease
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) surveyChannels(ctx context.Context, s *survey) error {
	var names [][]byte
	for name := range s.tops {
		if channel, ok := name.Channel(); ok {
			names = append(names, []byte(channel))
		}
	}
	for some := range slices.Chunk(names, pollSize) {
		rows, err := l.pool.Query(ctx, l.sql.topsOf, some)
		if err != nil {
			return err
		}
		var channel []byte
		var top stream.Position
		_, err = pgx.ForEachRow(rows, []any{&channel, &top.Epoch, &top.Number}, func() error {
			s.see(stream.Of(string(channel)), top)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// forget drops what is of no interest any more: streams that are gone, and sockets that another node has taken. What
// has changed meanwhile stays.
func (i *interest) forget(s *survey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for name, was := range s.tops {
		if !s.found[name] && i.tops[name] == was {
			i.dropLocked(name)
		}
	}
	for _, id := range s.taken {
		if i.leases[id] == s.leases[id] {
			i.dropLocked(stream.Own(id))
		}
	}
}

func (i *interest) dropLocked(name stream.Name) {
	delete(i.tops, name)
	if id, ok := name.Socket(); ok {
		delete(i.leases, id)
	}
}
