package memlog

import (
	"cmp"
	"container/heap"
	"time"
)

// shrink drops the oldest messages of the whole log until they take less than MaxBytes. It looks at every stream, so it
// makes some room for what comes next.
func (l *Log) shrink() {
	if l.lock(everything) != nil {
		return
	}
	defer l.unlock(everything)
	if l.bytes.Load() <= l.opts.MaxBytes {
		return // another goroutine was quicker
	}
	enough := l.opts.MaxBytes - l.opts.MaxBytes/16
	var oldest byAge
	now := time.Now()
	l.linesLocked(func(q *line) {
		if q.trim(now); q.len() > 0 {
			oldest = append(oldest, q)
		}
	})
	heap.Init(&oldest)
	for l.bytes.Load() > enough && len(oldest) > 0 {
		q := oldest[0]
		if q.drop(); q.len() > 0 {
			heap.Fix(&oldest, 0)
			continue
		}
		q.compact()
		heap.Pop(&oldest)
	}
	for _, q := range oldest {
		q.trim(now)
	}
}

// byAge is a heap of lines that have messages, with the oldest message on top.
type byAge []*line

func (h byAge) compare(i, j int) int {
	a, b := h[i].buf[h[i].first], h[j].buf[h[j].first]
	return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Number, b.Number))
}

func (h byAge) Len() int           { return len(h) }
func (h byAge) Less(i, j int) bool { return h.compare(i, j) < 0 }
func (h byAge) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byAge) Push(q any)        { *h = append(*h, q.(*line)) }
func (h *byAge) Pop() any {
	last := len(*h) - 1
	q := (*h)[last]
	*h = (*h)[:last]
	return q
}
