package slot_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"testing"

	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/slot"
)

var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

// After a layer has refused the holder, no other layer opens.
func TestReleaseInOpen(t *testing.T) {
	var table slot.Table
	var log diary
	log.layer(t, &table, "before")
	d := new(slot.Data)
	newSlot(t, &table, "refuses", slot.Hooks[token]{
		OnOpen:    func(context.Context, *token) *token { d.Release(); return &token{} },
		OnRelease: func(_ context.Context, v *token) { log = append(log, "release refuses") },
	})
	after := newSlot(t, &table, "after", slot.Hooks[token]{
		OnOpen:    func(context.Context, *token) *token { log = append(log, "open after"); return nil },
		OnRelease: func(context.Context, *token) { log = append(log, "release after") },
	})
	expect.NoError(t, d.Open(bg, &table))
	log.wants(t, "open before", "release refuses", "release before")
	_, err := after.Get(d)
	expect.Error(t, err, slot.ErrReleased)
	expect.Equal(t, "Closed", d.Closed(), true)
	expect.Equal(t, "figures", table.Figures(), slot.Figures{Opened: 1, Released: 1})
}

// Data is closed when its holder has released it, and released after the last Unpin.
func TestClosedAndReleased(t *testing.T) {
	d := opened(t, nil)
	d.Pin()
	expect.Equal(t, "Closed while open", d.Closed(), false)
	d.Release()
	expect.Equal(t, "Closed while pinned", d.Closed(), true)
	expect.Equal(t, "Released while pinned", d.Released(), false)
	d.Unpin()
	expect.Equal(t, "Released", d.Released(), true)
	expect.Equal(t, "Closed of the zero Data", new(slot.Data).Closed(), false)
}

func TestOpenHookThatEndsItsGoroutine(t *testing.T) {
	var table slot.Table
	var log diary
	log.layer(t, &table, "before")
	newSlot(t, &table, "exits", slot.Hooks[token]{
		OnOpen:    func(context.Context, *token) *token { runtime.Goexit(); return nil },
		OnRelease: func(context.Context, *token) { t.Error("released what did not open") },
	})
	log.layer(t, &table, "after")
	d := new(slot.Data)
	race(func() { _ = d.Open(bg, &table) })
	d.Release()
	log.wants(t, "open before", "release before")
}

// While a layer is released, the slots of the layers before it can be read, but no longer set.
func TestSetWhileHooksRelease(t *testing.T) {
	var table slot.Table
	d := new(slot.Data)
	kept := &token{}
	full := newSlot(t, &table, "full", slot.Hooks[token]{OnOpen: func(context.Context, *token) *token { return kept }})
	empty := newSlot(t, &table, "empty", slot.Hooks[token]{})
	ran := false
	newSlot(t, &table, "above", slot.Hooks[token]{OnRelease: func(context.Context, *token) {
		ran = true
		v, err := full.GetOrSet(d, &token{})
		expect.NoError(t, err)
		expect.Equal(t, "value of the layer before", v, kept)
		for name, err := range map[string]error{
			"Set":                  full.Set(d, &token{}),
			"Set of what is empty": empty.Set(d, &token{}),
			"GetOrSet":             second(empty.GetOrSet(d, &token{})),
		} {
			if !errors.Is(err, slot.ErrReleased) {
				t.Errorf("%s while hooks release: got %v, want slot.ErrReleased", name, err)
			}
		}
	}})
	expect.NoError(t, d.Open(bg, &table))
	d.Release()
	expect.Equal(t, "hook has run", ran, true)
}

func second(_ *token, err error) error { return err }

type word struct{}

// OnRelease gets the values of the context of Open, but the context is never done.
func TestContextOfTheRelease(t *testing.T) {
	var table slot.Table
	var got context.Context
	newSlot(t, &table, "s", slot.Hooks[token]{OnRelease: func(ctx context.Context, _ *token) { got = ctx }})
	ctx, cancel := context.WithCancel(context.WithValue(bg, word{}, "hello"))
	d := new(slot.Data)
	expect.NoError(t, d.Open(ctx, &table))
	cancel()
	d.Release()
	expect.Equal(t, "value", got.Value(word{}), any("hello"))
	expect.NoError(t, got.Err())
	expect.Equal(t, "done", got.Done(), nil)
	_, ok := got.Deadline()
	expect.Equal(t, "deadline", ok, false)
}

// The context of Open is not kept for the release where the holder sets another one.
func TestContextKeptForTheRelease(t *testing.T) {
	var table slot.Table
	var atOpen, atRelease any
	newSlot(t, &table, "s", slot.Hooks[token]{
		OnOpen:    func(ctx context.Context, _ *token) *token { atOpen = ctx.Value(word{}); return nil },
		OnRelease: func(ctx context.Context, _ *token) { atRelease = ctx.Value(word{}) },
	})
	d := new(slot.Data)
	d.KeepContext(context.WithValue(bg, word{}, "kept"))
	expect.NoError(t, d.Open(context.WithValue(bg, word{}, "a request"), &table))
	d.Release()
	expect.Equal(t, "at the opening", atOpen, any("a request"))
	expect.Equal(t, "at the release", atRelease, any("kept"))
}

func TestOpenWithoutAContext(t *testing.T) {
	var table slot.Table
	var log diary
	log.layer(t, &table, "a")
	d := new(slot.Data)
	//lint:ignore SA1012 the mistake is what is tested
	expect.Text(t, d.Open(nil, &table), "slot: ", "nil context")
	log.wants(t)
	expect.Equal(t, "opened", table.Figures().Opened, 0)
	expect.NoError(t, d.Open(bg, &table)) // as if it were the first call
	log.wants(t, "open a")
}

// An embedder is a holder by the Data that it embeds, which is not its first field.
type embedder struct {
	_ int
	slot.Data
}

// A nil pointer to a struct that embeds Data has no data. To use it is an error, not a panic.
func TestNilHolderThatEmbedsData(t *testing.T) {
	var table slot.Table
	s := newSlot(t, &table, "s", slot.Hooks[token]{})
	var none *embedder
	_, err := s.Get(none)
	expect.Error(t, err, slot.ErrNoData, `"s"`)
	expect.Error(t, s.Set(none, &token{}), slot.ErrNoData)
	_, err = s.Take(none)
	expect.Error(t, err, slot.ErrNoData)
}
