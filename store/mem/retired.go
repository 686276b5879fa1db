package mem

import (
	"math"

	"github.com/lazysession/session/store"
)

// retired remembers the tokens that renewals replaced.
type retired struct {
	limit int // how many
	until map[store.Token]store.Instant
	queue []store.Token // the oldest first
}

// retiredLimit returns how many retired tokens a shard remembers: as many as its share of the sessions, so that
// renewals in a loop can't fill the memory. A token that is forgotten early is unknown instead of retired.
func retiredLimit(sessions int64) int {
	const few = 64
	return int(max(few, sessions/shardCount))
}

func (r *retired) add(token store.Token, now store.Instant) {
	r.forget(now, len(r.queue))
	if len(r.queue) >= r.limit {
		r.pop()
	}
	if r.until == nil {
		r.until = make(map[store.Token]store.Instant)
	}
	r.until[token] = now.Add(store.RetiredFor)
	r.queue = append(r.queue, token)
}

func (r *retired) has(token store.Token, now store.Instant) bool { return now < r.until[token] }

// earliest returns when the first token may be forgotten.
func (r *retired) earliest() store.Instant {
	if len(r.queue) == 0 {
		return math.MaxInt64
	}
	return r.until[r.queue[0]]
}

// forget forgets at most the given number of tokens that were remembered long enough.
func (r *retired) forget(now store.Instant, most int) {
	for ; most > 0 && r.earliest() <= now; most-- {
		r.pop()
	}
}

func (r *retired) pop() {
	delete(r.until, r.queue[0])
	r.queue = r.queue[1:]
	if len(r.queue) == 0 {
		r.drop() // since maps never shrink
	}
}

func (r *retired) drop() { r.until, r.queue = nil, nil }
