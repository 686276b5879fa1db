package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/stream"
)

// A crowd tells the pages of each forum how many people are there.
type crowd struct {
	hub      *live.Hub
	counting sync.WaitGroup

	mu sync.Mutex
	// mu locks the remaining fields.
	due    map[string]bool // channels that a goroutine is about to count
	closed bool
}

func newCrowd(h *live.Hub) *crowd { return &crowd{hub: h, due: make(map[string]bool)} }

// recount counts the people of a channel and tells all of them. Calls that come before the counting begins share it.
func (c *crowd) recount(ch *live.Channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.due[ch.Name()] {
		return
	}
	c.due[ch.Name()] = true
	c.counting.Go(func() { c.tell(ch) })
}

// tellTimeout is how long counting and telling may take.
const tellTimeout = 10 * time.Second

func (c *crowd) tell(ch *live.Channel) {
	ctx, cancel := context.WithTimeout(context.Background(), tellTimeout)
	defer cancel()
	// Do lets one count at a time, so the number that is sent last is that of the last change.
	err := ch.Do(ctx, func(ctx context.Context) error {
		c.begin(ch.Name())
		people, err := c.count(ctx, ch.Name())
		if err != nil {
			return err
		}
		data, err := json.Marshal(news{People: people})
		if err != nil {
			return err
		}
		return ch.Send(ctx, data)
	})
	c.begin(ch.Name())
	// The channel may have lost its last member meanwhile. The next to join is counted again.
	if err != nil && !errors.Is(err, stream.ErrDeadlock) {
		slog.Error("forum: counting people", "channel", ch.Name(), "error", err)
	}
}

// begin makes later changes start another count.
func (c *crowd) begin(channel string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.due, channel)
}

// A person is somebody, by name, or else a session, however many pages they have open.
type person struct {
	owner   string
	session session.ID
}

// count counts people with a page that is connected.
func (c *crowd) count(ctx context.Context, channel string) (int, error) {
	people := make(map[person]struct{})
	for s, err := range c.hub.Sockets(ctx, live.Filter{Channel: channel}) {
		switch {
		case err != nil:
			return 0, err
		case s.Away:
		case s.Owner != "":
			people[person{owner: s.Owner}] = struct{}{}
		default:
			people[person{session: s.Session}] = struct{}{}
		}
	}
	return len(people), nil
}

func (c *crowd) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.counting.Wait()
}
