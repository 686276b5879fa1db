package live_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/stream"
)

// onceDeadlocked returns a hook that says the first time that there was a deadlock.
func onceDeadlocked() func() error {
	fails := once()
	return func() error {
		if fails() != nil {
			return stream.ErrDeadlock
		}
		return nil
	}
}

// inSession returns the value of the counter "total" in the session of a socket.
func (s *site) inSession(id live.ID) int64 {
	s.t.Helper()
	sum, err := total.Get(session.NewContext(s.t.Context(), s.hub.Socket(id).Session()))
	if err != nil {
		s.t.Fatal(err)
	}
	return sum
}

// A handler that was in a deadlock while it worked runs again, with nothing of the first try left: what it changed in
// the session was not stored. What the handler makes of the error changes nothing.
func TestDeadlockStoresNothingOfTheSession(t *testing.T) {
	for name, answer := range map[string]func(error) error{
		"returned":  func(err error) error { return err },
		"swallowed": func(error) error { return nil },
		"refused": func(err error) error {
			if err != nil {
				return live.Refuse("busy", "")
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			var runs atomic.Int32
			var s *site
			s, l := newHookedSite(t, live.Endpoint{
				Message: func(ctx context.Context, socket *live.Socket, m live.Message) error {
					runs.Add(1)
					if _, err := total.Add(ctx, 1); err != nil {
						return err
					}
					if err := socket.Send(ctx, []byte(`"once"`)); err != nil {
						return err
					}
					return answer(s.hub.Channel("game", nil).Do(ctx, func(context.Context) error { return nil }))
				},
			}, nil)
			deadlock := onceDeadlocked()
			l.hook(func() { l.onHold = func(string) error { return deadlock() } })
			c, w := s.open(s.login("ada"), hello)
			c.send(`[1,1]`)
			c.want(`{"t":"ack","in":1}`, `[1,"once"]`)
			id, _ := live.ParseID(w.ID)
			if sum := s.inSession(id); runs.Load() != 2 || sum != 1 {
				t.Errorf("the handler ran %d times, and the counter is %d; want 2, and 1", runs.Load(), sum)
			}
		})
	}
}

var handled = session.NewKey[uint64]("handled")

// Where the log refuses the commit itself, the session's changes are stored already: at least once. The next run sees
// them, so that the number of the message is a key to make them once.
func TestSessionChangesAreStoredAtLeastOnce(t *testing.T) {
	var runs atomic.Int32
	s, l := newHookedSite(t, live.Endpoint{
		Message: func(ctx context.Context, socket *live.Socket, m live.Message) error {
			runs.Add(1)
			last, err := handled.Get(ctx)
			if err != nil {
				return err
			}
			if last < m.Number {
				if _, err := total.Add(ctx, 1); err != nil {
					return err
				}
				if err := handled.Set(ctx, m.Number); err != nil {
					return err
				}
			}
			return socket.Send(ctx, []byte(`"once"`))
		},
	}, nil)
	deadlock := onceDeadlocked()
	l.hook(func() {
		l.onCommit = func(b *stream.Batch) error {
			if b.In != 0 {
				return deadlock()
			}
			return nil
		}
	})
	c, w := s.open(s.login("ada"), hello)
	c.send(`[1,1]`)
	c.want(`{"t":"ack","in":1}`, `[1,"once"]`)
	c.send(`[2,2]`)
	c.want(`{"t":"ack","in":2}`, `[2,"once"]`)
	id, _ := live.ParseID(w.ID)
	if sum := s.inSession(id); runs.Load() != 3 || sum != 2 {
		t.Errorf("two messages were handled %d times, and the counter is %d; want 3, and 2", runs.Load(), sum)
	}
}
