package memory

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// ours is this library's store/mem.
type ours struct {
	*mem.Store
	sweeping sync.WaitGroup
	failed   error // of the sweeps, to be read once they are done
}

func openOurs(sweep time.Time) stock {
	s := &ours{Store: mem.New(&mem.Options{MaxSessions: math.MaxInt})}
	if !sweep.IsZero() {
		s.sweeping.Go(func() { s.failed = s.sweepFrom(sweep) })
	}
	return s
}

// sweepFrom does what a session.Manager does: it calls Sweep again for as long as more is waiting.
func (s *ours) sweepFrom(begin time.Time) error {
	time.Sleep(time.Until(begin))
	for {
		next, err := s.Sweep(context.Background())
		if err != nil || next > 0 {
			return err
		}
	}
}

func (s *ours) put(n int, ends time.Time) error {
	token := digest(n)
	_, err := s.Commit(context.Background(), token, &store.Change{
		Created:     true,
		ID:          store.ID(token[16:]),
		Touched:     true,
		IdleTimeout: time.Until(ends),
		Lifetime:    24 * time.Hour,
		Edits: []store.Edit{
			{Name: "hits", JSON: "42"},
			{Name: "user", JSON: strconv.Itoa(user(n))},
			{Name: "theme", JSON: `"dark"`},
		},
	})
	return err
}

func (s *ours) reader(sessions []int) func(i int) error {
	tokens := make([]store.Token, len(sessions))
	for i, n := range sessions {
		tokens[i] = digest(n)
	}
	return func(i int) error {
		_, err := s.Load(context.Background(), tokens[i])
		return err
	}
}

func (s *ours) swept(sessions, _, _ int) error {
	s.sweeping.Wait()
	if s.failed == nil && s.Len() != sessions/2 {
		return fmt.Errorf("%d of %d sessions are left, want half", s.Len(), sessions)
	}
	return s.failed
}

func (s *ours) close() error {
	s.sweeping.Wait()
	return errors.Join(s.failed, s.Store.Close())
}
