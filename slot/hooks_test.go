package slot_test

import (
	"context"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/slot"
)

// A diary holds what hooks wrote, in order.
type diary []string

// layer asks for a slot whose hooks write into the diary.
func (d *diary) layer(t testing.TB, table *slot.Table, name string) slot.Slot[token] {
	return newSlot(t, table, name, slot.Hooks[token]{
		OnOpen:    func(context.Context, *token) *token { *d = append(*d, "open "+name); return &token{name} },
		OnRelease: func(_ context.Context, v *token) { *d = append(*d, "release "+v.name) },
	})
}

func (d *diary) wants(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(*d, want) {
		t.Errorf("hooks: got %q, want %q", *d, want)
	}
}

func TestLastOpenedIsFirstReleased(t *testing.T) {
	var table slot.Table
	var log diary
	for _, name := range []string{"a", "b", "c"} {
		log.layer(t, &table, name)
	}
	d := opened(t, &table)
	log.wants(t, "open a", "open b", "open c")
	log = nil
	d.Release()
	d.Release()
	log.wants(t, "release c", "release b", "release a")
	expect.Equal(t, "figures", table.Figures(), slot.Figures{Opened: 1, Released: 1})
}

func TestReleaseWaitsForPins(t *testing.T) {
	var table slot.Table
	var log diary
	s := log.layer(t, &table, "a")
	d := opened(t, &table)
	log = nil
	expect.Equal(t, "Pin of what is open", d.Pin(), true)
	d.Release()
	expect.Equal(t, "Pin of what is closed and pinned", d.Pin(), true)
	expect.Equal(t, "open", table.Figures().Open(), 1)
	d.Unpin()
	log.wants(t)
	v, err := s.Get(d)
	expect.NoError(t, err)
	expect.Equal(t, "value while pinned", v.name, "a")
	d.Unpin()
	log.wants(t, "release a")
	expect.Equal(t, "Pin of what is released", d.Pin(), false)
	d.Unpin()
	d.Release()
	log.wants(t, "release a")
	expect.Equal(t, "open", table.Figures().Open(), 0)
	if err := d.Open(bg, &table); err == nil {
		t.Error("opened again: no error")
	}
}

func TestDataThatWasNeverOpened(t *testing.T) {
	d := new(slot.Data)
	d.Release()
	d.Unpin()
	expect.Equal(t, "Pin", d.Pin(), false)
	expect.Equal(t, "Released", d.Released(), false)
	expect.NoError(t, d.Open(bg, nil))
	d.Release()
	expect.Equal(t, "Released, opened without a table", d.Released(), true)
}

// Many goroutines close, pin and unpin at once.
func TestReleaseIsOnceAndLast(t *testing.T) {
	var table slot.Table
	var released, users atomic.Int32
	newSlot(t, &table, "a", slot.Hooks[token]{OnRelease: func(context.Context, *token) {
		released.Add(1)
		expect.Equal(t, "users at the release", users.Load(), 0)
	}})
	use := func(d *slot.Data) {
		if d.Pin() {
			users.Add(1)
			runtime.Gosched()
			users.Add(-1)
			d.Unpin()
		}
	}
	const rounds = 1000
	for range rounds {
		d := opened(t, &table)
		u := func() { use(d) }
		race(u, u, d.Release, u, d.Release, u)
	}
	expect.Equal(t, "released", released.Load(), rounds)
	expect.Equal(t, "figures", table.Figures(), slot.Figures{Opened: rounds, Released: rounds})
}

func TestPanickingHooks(t *testing.T) {
	var text strings.Builder
	table := slot.Table{Logger: slog.New(slog.NewTextHandler(&text, nil))}
	var log diary
	log.layer(t, &table, "a")
	newSlot(t, &table, "breaks at open", slot.Hooks[token]{
		OnOpen:    func(context.Context, *token) *token { panic("out of cheese") },
		OnRelease: func(context.Context, *token) { t.Error("OnRelease ran, but the layer did not open") },
	})
	newSlot(t, &table, "breaks at release", slot.Hooks[token]{
		OnRelease: func(context.Context, *token) { panic("out of wine") },
	})
	log.layer(t, &table, "b")
	opened(t, &table).Release()
	log.wants(t, "open a", "open b", "release b", "release a")
	expect.Equal(t, "figures", table.Figures(), slot.Figures{Opened: 1, Released: 1})
	for _, part := range []string{
		`"breaks at open"`, "out of cheese", "OnOpen",
		`"breaks at release"`, "out of wine", "OnRelease", "hooks_test.go",
	} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("log: got %s, want %q in it", text.String(), part)
		}
	}
}

func TestPanicGoesToTheDefaultLogger(t *testing.T) {
	old := slog.Default()
	defer slog.SetDefault(old)
	var text strings.Builder
	slog.SetDefault(slog.New(slog.NewTextHandler(&text, nil)))
	var table slot.Table
	newSlot(t, &table, "broken", slot.Hooks[token]{OnRelease: func(context.Context, *token) { panic(io.EOF) }})
	opened(t, &table).Release()
	expect.Equal(t, "logged", strings.Contains(text.String(), "broken"), true)
}

func TestReleaseHookThatEndsItsGoroutine(t *testing.T) {
	var table slot.Table
	var log diary
	log.layer(t, &table, "a")
	newSlot(t, &table, "exits", slot.Hooks[token]{OnRelease: func(context.Context, *token) { runtime.Goexit() }})
	d := opened(t, &table)
	race(d.Release)
	log.wants(t, "open a", "release a")
	expect.Equal(t, "figures", table.Figures(), slot.Figures{Opened: 1, Released: 1})
}

func TestHandedToOneLayer(t *testing.T) {
	var table slot.Table
	var got []*token
	note := func(_ context.Context, v *token) *token { got = append(got, v); return v }
	a := newSlot(t, &table, "a", slot.Hooks[token]{OnOpen: note})
	newSlot(t, &table, "b", slot.Hooks[token]{OnOpen: note})
	plain := newSlot(t, &table, "plain", slot.Hooks[token]{})
	forA, forPlain := &token{"for a"}, &token{"for plain"}
	d := new(slot.Data)
	expect.NoError(t, d.Open(plain.WithValue(a.WithValue(bg, forA), forPlain), &table))
	if !slices.Equal(got, []*token{forA, nil}) {
		t.Errorf("handed to a and b: got %v, want only a to get something", got)
	}
	v, err := plain.Get(d)
	expect.NoError(t, err)
	expect.Equal(t, "slot without a hook", v, forPlain)
}

// A layer may use the layers before it, when it opens and when it is released.
func TestLayerUsesTheOneBelow(t *testing.T) {
	var table slot.Table
	var below slot.Slot[token]
	d := new(slot.Data)
	see := func(when string) {
		v, err := below.Get(d)
		expect.NoError(t, err)
		expect.Equal(t, when, v.name, "below")
	}
	below = newSlot(t, &table, "below", slot.Hooks[token]{
		OnOpen: func(context.Context, *token) *token { return &token{"below"} },
	})
	newSlot(t, &table, "above", slot.Hooks[token]{
		OnOpen:    func(context.Context, *token) *token { see("at open"); return nil },
		OnRelease: func(context.Context, *token) { see("at release") },
	})
	expect.NoError(t, d.Open(bg, &table))
	d.Release()
}

func TestSetAfterRelease(t *testing.T) {
	var table slot.Table
	s := newSlot(t, &table, "s", slot.Hooks[token]{})
	d := opened(t, &table)
	d.Release()
	expect.Error(t, s.Set(d, &token{}), slot.ErrReleased, `"s"`)
	_, err := s.Take(d)
	expect.Error(t, err, slot.ErrReleased, `"s"`)
}
