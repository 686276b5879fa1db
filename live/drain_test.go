package live_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Drain leaves nothing behind where sockets stay longer than it waits.
func TestDrainEnds(t *testing.T) {
	for name, drain := range map[string]func(*site){
		"the time is over": func(s *site) {
			if err := s.hub.Drain(context.Background(), time.Millisecond); err != nil {
				t.Error(err)
			}
		},
		"the context is done": func(s *site) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if err := s.hub.Drain(ctx, time.Hour); err == nil {
				t.Error("no error")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			site := newSite(t, echo, nil)
			site.open(site.login("ada"), hello)
			drain(site)
			stacks := make([]byte, 1<<20)
			if stacks = stacks[:runtime.Stack(stacks, true)]; strings.Contains(string(stacks), "(*Hub).Drain") {
				t.Errorf("a goroutine of Drain is left:\n%s", stacks)
			}
		})
	}
}
