package memlog

import (
	"crypto/rand"
	"sync/atomic"
	"time"

	"github.com/lazysession/session/live/stream"
)

// overhead is what a message takes beside its data.
const overhead = 64

// A line is the messages of a stream. They are in buf, oldest first, and the last one has the number top.
//
// Readers share buf's array: nothing in buf is ever changed, and what was dropped stays in the array until compact
// makes another one. So a copy of a line is a snapshot of it.
type line struct {
	name  stream.Name
	total *atomic.Int64 // what the messages of the whole log take
	epoch string
	top   uint64
	keep  stream.Retention // with defaults
	buf   []stream.Message
	first int // where in buf the messages begin that are kept
	bytes int // of their data
	stale int // bytes of the data before them
}

func newLine(name stream.Name, total *atomic.Int64, keep stream.Retention) line {
	return line{name: name, total: total, epoch: newEpoch(), keep: keep.WithDefaults()}
}

// newEpoch returns an epoch that no stream of this name has had.
func newEpoch() string { return rand.Text()[:10] }

func (q *line) position() stream.Position { return stream.Position{Epoch: q.epoch, Number: q.top} }
func (q *line) len() int                  { return len(q.buf) - q.first }
func (q *line) weight() int64             { return int64(q.bytes + overhead*q.len()) }

// weigh runs a change of the line, and keeps the log's total right.
func (q *line) weigh(change func()) {
	was := q.weight()
	change()
	q.total.Add(q.weight() - was)
}

// restore makes the line what it was.
func (q *line) restore(was line) { q.weigh(func() { *q = was }) }

// append adds a message, whose data the line owns from now on, and returns its position.
func (q *line) append(m stream.Message) stream.Position {
	q.top++
	m.Number = q.top
	if len(q.buf) == cap(q.buf) {
		q.compact()
	}
	q.buf = append(q.buf, m)
	q.bytes += len(m.Data)
	q.total.Add(int64(len(m.Data)) + overhead)
	q.trim(m.Time)
	return q.position()
}

// trim drops what the retention doesn't keep.
func (q *line) trim(now time.Time) {
	for q.len() > 0 && q.exceeds(now) {
		q.drop()
	}
	if q.first > q.len() || q.stale > q.bytes+overhead*q.len() {
		q.compact()
	}
}

// exceeds reports whether the oldest message is beyond the retention.
func (q *line) exceeds(now time.Time) bool {
	n := q.len()
	return n > q.keep.Messages || q.bytes > q.keep.Bytes && n > 1 || now.Sub(q.buf[q.first].Time) > q.keep.Age
}

// drop drops the oldest message.
func (q *line) drop() {
	size := len(q.buf[q.first].Data)
	q.first++
	q.bytes -= size
	q.stale += size
	q.total.Add(int64(-size) - overhead)
}

// compact moves the messages to another array, where there is room for as many more. The old one goes with its readers.
func (q *line) compact() {
	n := q.len()
	var buf []stream.Message
	if n > 0 {
		buf = make([]stream.Message, n, 2*n)
		copy(buf, q.buf[q.first:])
	}
	q.buf, q.first, q.stale = buf, 0, 0
}

// renumber makes top the number of the last message.
func (q *line) renumber(top uint64) {
	q.weigh(func() {
		keep := 0
		if oldest := q.top - uint64(q.len()); top < q.top && top > oldest {
			keep = int(top - oldest)
		}
		if top == q.top {
			return
		}
		if top < q.top {
			q.epoch = newEpoch()
		}
		q.top, q.buf, q.bytes = top, q.buf[q.first:q.first+keep], 0
		for _, m := range q.buf {
			q.bytes += len(m.Data)
		}
		q.first = 0
		q.compact() // since what follows must not be written where readers still read
	})
}

// read returns up to limit messages after a position.
func (q *line) read(after stream.Position, limit int, now time.Time) ([]stream.Message, error) {
	q.trim(now)
	oldest := q.top - uint64(q.len()) // the number before it
	switch {
	case after.Epoch != q.epoch:
		return nil, q.gap(stream.Reset, q.top)
	case after.Number > q.top:
		q.epoch = newEpoch()
		return nil, q.gap(stream.Reset, q.top)
	case after.Number < oldest:
		return nil, q.gap(stream.Old, oldest)
	case after.Number == q.top:
		return nil, nil
	}
	from := q.first + int(after.Number-oldest)
	to := min(from+limit, len(q.buf))
	return q.buf[from:to:to], nil
}

func (q *line) gap(why stream.Gap, at uint64) error {
	return &stream.GapError{Stream: q.name, Why: why, At: stream.Position{Epoch: q.epoch, Number: at}}
}
