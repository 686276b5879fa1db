package pglog

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/lazysession/session/live/stream"
)

// A hint says how far a stream has grown.
type hint struct {
	stream stream.Name
	top    stream.Position
}

type hints []hint

// watchers are those of this process, and what is to be told to other servers.
type watchers struct {
	mu sync.Mutex
	// mu locks the remaining fields.
	next    int
	all     map[int]func(stream.Name, stream.Position)
	pending map[stream.Name]stream.Position
	telling bool
	closed  bool // nothing is told to other servers any more
}

func (w *watchers) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}

// Watch calls f with each stream that has grown. See stream.Log.
func (l *Log) Watch(f func(s stream.Name, top stream.Position)) (cancel func()) {
	w := &l.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	id := w.next
	w.next++
	w.all[id] = f
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, id)
	}
}

// tellHere tells the watchers of this process.
func (l *Log) tellHere(told hints) {
	if len(told) == 0 {
		return
	}
	l.watchers.mu.Lock()
	all := make([]func(stream.Name, stream.Position), 0, len(l.watchers.all))
	for _, f := range l.watchers.all {
		all = append(all, f)
	}
	l.watchers.mu.Unlock()
	for _, h := range told {
		l.interest.note(h)
		for _, f := range all {
			f(h.stream, h.top)
		}
	}
}

// tell tells the watchers of this process at once, and other servers as soon as the notification before has been sent.
// So many hints share a notification where there are many, and one waits for nothing where there are few.
func (l *Log) tell(told hints) {
	l.tellHere(told)
	w := &l.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range told {
		if was := w.pending[h.stream]; was.Epoch != h.top.Epoch || was.Number <= h.top.Number {
			w.pending[h.stream] = h.top
		}
	}
	if len(w.pending) > 0 && !w.telling && !w.closed {
		w.telling = true
		l.running.Go(l.notify)
	}
}

// notify sends what is pending, until there is nothing.
func (l *Log) notify() {
	w := &l.watchers
	for {
		w.mu.Lock()
		pending := w.pending
		w.pending = map[stream.Name]stream.Position{}
		if w.telling = len(pending) > 0; !w.telling {
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), groupTime)
		_, err := l.pool.Exec(ctx, "SELECT pg_notify($1, p) FROM unnest($2::text[]) AS p", l.topic(), l.payloads(pending))
		cancel()
		if err != nil {
			l.warn("hints for other servers were not sent; they poll", err)
		}
	}
}

// longest is what fits into a notification (PostgreSQL manual, NOTIFY).
const longest = 7900

// topic returns the name of the channel for notifications.
func (s *settings) topic() string {
	const longest = 63
	name := s.place() + ".hints"
	if len(name) > longest {
		name = fmt.Sprintf("%s.%x", s.Prefix, uint64(s.lock("hints", "")))
	}
	return name
}

// payloads writes hints as texts that fit: the name of this log, and three words for each hint.
func (l *Log) payloads(pending map[stream.Name]stream.Position) (all []string) {
	var b strings.Builder
	for name, top := range pending {
		words := " " + base64.RawURLEncoding.EncodeToString([]byte(name)) + " " + top.Epoch + " " +
			strconv.FormatUint(top.Number, 10)
		if b.Len() > 0 && b.Len()+len(words) > longest {
			all = append(all, b.String())
			b.Reset()
		}
		if b.Len() == 0 {
			b.WriteString(l.name)
		}
		b.WriteString(words)
	}
	return append(all, b.String())
}

// heard reads a notification, and tells the watchers of this process, unless this log has sent it.
func (l *Log) heard(payload string) error {
	words := strings.Fields(payload)
	if len(words)%3 != 1 {
		return fmt.Errorf("pglog: notification %.80q: want a name and three words for each hint", payload)
	}
	if words[0] == l.name {
		return nil
	}
	var told hints
	for words = words[1:]; len(words) > 0; words = words[3:] {
		name, err := base64.RawURLEncoding.DecodeString(words[0])
		if err != nil {
			return fmt.Errorf("pglog: notification %.80q: %w", payload, err)
		}
		n, err := strconv.ParseUint(words[2], 10, 63)
		if err != nil {
			return fmt.Errorf("pglog: notification %.80q: %w", payload, err)
		}
		told = append(told, hint{stream.Name(name), stream.Position{Epoch: words[1], Number: n}})
	}
	l.tellHere(told)
	return nil
}
