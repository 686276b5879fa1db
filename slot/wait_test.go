package slot_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/slot"
)

func TestWaitForReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var table slot.Table
		done := false
		newSlot(t, &table, "s", slot.Hooks[token]{OnRelease: func(context.Context, *token) { done = true }})
		expect.NoError(t, table.Wait(bg)) // no holder was opened
		first, second := opened(t, &table), opened(t, &table)
		waited := make(chan error, 2)
		for range cap(waited) {
			go func() { waited <- table.Wait(bg) }()
		}
		first.Release()
		second.Pin()
		second.Release()
		synctest.Wait()
		expect.Equal(t, "done waiting while one is pinned", len(waited), 0)
		done = false
		second.Unpin()
		synctest.Wait()
		expect.Equal(t, "done waiting after the last", len(waited), 2)
		expect.Equal(t, "hooks have run", done, true)
		expect.NoError(t, <-waited)
		expect.NoError(t, <-waited)
	})
}

// No release is missed while other goroutines begin to wait.
func TestWaitRacesWithRelease(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8)) // with fewer, goroutines would hardly run at the same time
	ctx, cancel := context.WithTimeout(bg, time.Minute)
	defer cancel()
	for range 5000 {
		var table slot.Table
		first, second := opened(t, &table), opened(t, &table)
		wait := func() {
			if err := table.Wait(ctx); err != nil {
				t.Error(err)
			}
		}
		race(wait, first.Release, wait, second.Release)
		if t.Failed() {
			return
		}
	}
}

func TestWaitGivesUp(t *testing.T) {
	var table slot.Table
	opened(t, &table)
	opened(t, &table)
	impatient := errors.New("impatient")
	ctx, cancel := context.WithCancelCause(bg)
	cancel(impatient)
	expect.Error(t, table.Wait(ctx), impatient, "slot: ", "2 holders")
	expect.NoError(t, (*slot.Table)(nil).Wait(ctx))
	expect.NoError(t, new(slot.Table).Wait(ctx)) // there is nothing to wait for
}
