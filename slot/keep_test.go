package slot_test

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/slot"
)

// Several goroutines set values while the holder is released. Each value is given to OnRelease, replaced by one that
// was accepted later, or refused. A refused value replaces none.
func TestValuesSetBesideARelease(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8)) // with fewer, goroutines would hardly run at the same time
	for range 5000 {
		var table slot.Table
		var released *token
		s := newSlot(t, &table, "s", slot.Hooks[token]{OnRelease: func(_ context.Context, v *token) { released = v }})
		d := opened(t, &table)
		values := [3]*token{{"a"}, {"b"}, {"c"}}
		var errs [3]error
		set := func(i int) func() { return func() { errs[i] = s.Set(d, values[i]) } }
		race(set(0), set(1), d.Release, set(2))
		accepted := slices.Contains(errs[:], nil)
		if accepted != (released != nil) {
			t.Fatalf("errors %v, but OnRelease was given %v", errs, released)
		}
		if i := slices.Index(values[:], released); i >= 0 && errs[i] != nil {
			t.Fatalf("OnRelease was given %v, which Set had refused: %v", released, errs[i])
		}
	}
}

// Slots beyond the inline ones have no cells until one of them is set. That may happen during the release.
func TestSetBesideAReleaseBeyondTheInlineSlots(t *testing.T) {
	for range 5000 {
		var table slot.Table
		var slots []slot.Slot[token]
		released := make([]*token, 10)
		for i := range 10 {
			slots = append(slots, newSlot(t, &table, string(rune('a'+i)), slot.Hooks[token]{
				OnRelease: func(_ context.Context, v *token) { released[i] = v },
			}))
		}
		d := opened(t, &table)
		var errs [2]error
		set := func(i int) func() { return func() { errs[i] = slots[8+i].Set(d, &token{}) } }
		race(set(0), d.Release, set(1))
		for i, err := range errs {
			expect.Equal(t, "given to OnRelease", released[8+i] != nil, err == nil)
			_, err := slots[8+i].Get(d)
			expect.Error(t, err, slot.ErrReleased)
		}
		expect.Error(t, slots[9].Set(d, &token{}), slot.ErrReleased)
	}
}

// Values of size zero share an address. The mark of a released slot must differ from it.
func TestValuesWithoutASize(t *testing.T) {
	var table slot.Table
	s, err := slot.New(&table, "s", slot.Hooks[struct{}]{})
	expect.NoError(t, err)
	d := opened(t, &table)
	v := new(struct{})
	expect.NoError(t, s.Set(d, v))
	got, err := s.Get(d)
	expect.NoError(t, err)
	expect.Equal(t, "value", got, v)
	d.Release()
	_, err = s.Get(d)
	expect.Error(t, err, slot.ErrReleased)
}

func TestSlotBeyondTheInlineOnesThatWasNeverSet(t *testing.T) {
	var table slot.Table
	var last slot.Slot[token]
	given := 0
	for i := range 9 {
		last = newSlot(t, &table, string(rune('a'+i)), slot.Hooks[token]{OnRelease: func(_ context.Context, v *token) {
			expect.Equal(t, "given to OnRelease", v, nil)
			given++
		}})
	}
	d := opened(t, &table)
	v, err := last.Get(d)
	expect.NoError(t, err)
	expect.Equal(t, "value", v, nil)
	d.Release()
	expect.Equal(t, "hooks run", given, 9)
	_, err = last.Get(d)
	expect.Error(t, err, slot.ErrReleased)
	_, err = last.Take(d)
	expect.Error(t, err, slot.ErrReleased)
}

// A slot whose OnOpen panicked is like any empty slot: it can be set, and is emptied at the release.
func TestSlotWhoseOnOpenPanicked(t *testing.T) {
	table := slot.Table{Logger: silent}
	var released []*token
	s := newSlot(t, &table, "breaks", slot.Hooks[token]{
		OnOpen:    func(context.Context, *token) *token { panic("out of cheese") },
		OnRelease: func(_ context.Context, v *token) { released = append(released, v) },
	})
	d, v := opened(t, &table), &token{"set later"}
	expect.NoError(t, s.Set(d, v))
	d.Release()
	_, err := s.Get(d)
	expect.Error(t, err, slot.ErrReleased)
	if !slices.Equal(released, []*token{v}) {
		t.Errorf("given to OnRelease: got %v, want what was set", released)
	}
}

func TestGetOrSet(t *testing.T) {
	var table slot.Table
	s := newSlot(t, &table, "s", slot.Hooks[token]{})
	d := opened(t, &table)
	v, err := s.GetOrSet(d, nil)
	expect.NoError(t, err)
	expect.Equal(t, "nothing, or nothing", v, nil)
	first, second := &token{"first"}, &token{"second"}
	v, err = s.GetOrSet(d, first)
	expect.NoError(t, err)
	expect.Equal(t, "what was set", v, first)
	v, err = s.GetOrSet(d, second)
	expect.NoError(t, err)
	expect.Equal(t, "what was there", v, first)
	_, err = s.Take(d)
	expect.NoError(t, err)
	v, err = s.GetOrSet(d, second)
	expect.NoError(t, err)
	expect.Equal(t, "what was set after Take", v, second)
	d.Release()
	_, err = s.GetOrSet(d, first)
	expect.Error(t, err, slot.ErrReleased, `"s"`)
	_, err = s.GetOrSet(nil, first)
	expect.Error(t, err, slot.ErrNoData, `"s"`)
}

// Several requests are the first on a connection. All get the value of one of them.
func TestGetOrSetAtOnce(t *testing.T) {
	for range 2000 {
		var table slot.Table
		var released *token
		s := newSlot(t, &table, "s", slot.Hooks[token]{OnRelease: func(_ context.Context, v *token) { released = v }})
		d := opened(t, &table)
		var got [3]*token
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() {
				runtime.Gosched()
				got[i], _ = s.GetOrSet(d, &token{})
			})
		}
		wg.Wait()
		expect.Equal(t, "second", got[1], got[0])
		expect.Equal(t, "third", got[2], got[0])
		d.Release()
		expect.Equal(t, "given to OnRelease", released, got[0])
	}
}
