package slot_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/slot"
)

// A token is what the slots of these tests hold.
type token struct{ name string }

var bg = context.Background()

func newSlot(t testing.TB, table *slot.Table, name string, hooks slot.Hooks[token]) slot.Slot[token] {
	t.Helper()
	s, err := slot.New(table, name, hooks)
	expect.NoError(t, err)
	return s
}

func opened(t testing.TB, table *slot.Table) *slot.Data {
	t.Helper()
	d := new(slot.Data)
	expect.NoError(t, d.Open(bg, table))
	return d
}

func TestGetSetTake(t *testing.T) {
	var table slot.Table
	a, b := newSlot(t, &table, "a", slot.Hooks[token]{}), newSlot(t, &table, "b", slot.Hooks[token]{})
	d, other := opened(t, &table), opened(t, &table)
	v, err := a.Get(d)
	expect.NoError(t, err)
	expect.Equal(t, "what was never set", v, nil)

	first, second := &token{"first"}, &token{"second"}
	expect.NoError(t, a.Set(d, first))
	expect.NoError(t, b.Set(d, second))
	v, err = a.Get(d)
	expect.NoError(t, err)
	expect.Equal(t, "a", v, first)
	v, err = a.Get(other)
	expect.NoError(t, err)
	expect.Equal(t, "a of another holder", v, nil)

	v, err = a.Take(d)
	expect.NoError(t, err)
	expect.Equal(t, "taken", v, first)
	v, err = a.Take(d)
	expect.NoError(t, err)
	expect.Equal(t, "taken again", v, nil)
	v, err = b.Get(d)
	expect.NoError(t, err)
	expect.Equal(t, "b, after a was taken", v, second)

	expect.NoError(t, b.Set(d, nil))
	v, err = b.Get(d)
	expect.NoError(t, err)
	expect.Equal(t, "b, set to nil", v, nil)
}

func TestManySlots(t *testing.T) {
	var table slot.Table
	var slots []slot.Slot[token]
	var values []*token
	for i := range 100 {
		name := strings.Repeat("x", i+1)
		slots, values = append(slots, newSlot(t, &table, name, slot.Hooks[token]{})), append(values, &token{name})
	}
	d := opened(t, &table)
	v, err := slots[99].Take(d)
	expect.NoError(t, err)
	expect.Equal(t, "the last before any was set", v, nil)
	var wg sync.WaitGroup
	for i, s := range slots {
		wg.Go(func() { expect.NoError(t, s.Set(d, values[i])) })
	}
	wg.Wait()
	for i, s := range slots {
		v, err := s.Get(d)
		expect.NoError(t, err)
		expect.Equal(t, "slot of 100", v, values[i])
	}
	d.Release()
	for _, s := range slots {
		_, err := s.Get(d)
		expect.Error(t, err, slot.ErrReleased, s.String())
	}
}

func TestSlotsOfOneTypeOrAnother(t *testing.T) {
	var table slot.Table
	n, err := slot.New[int](&table, "int", slot.Hooks[int]{})
	expect.NoError(t, err)
	e, err := slot.New[error](&table, "interface", slot.Hooks[error]{})
	expect.NoError(t, err)
	d := opened(t, &table)
	seven, failure := 7, error(context.Canceled)
	expect.NoError(t, n.Set(d, &seven))
	expect.NoError(t, e.Set(d, &failure))
	gotN, err := n.Get(d)
	expect.NoError(t, err)
	gotE, err := e.Get(d)
	expect.NoError(t, err)
	expect.Equal(t, "int", *gotN, 7)
	expect.Equal(t, "interface", *gotE, failure)
	failure = context.DeadlineExceeded // another dynamic type
	expect.NoError(t, e.Set(d, &failure))
}

func TestGetAndSetAllocateNothing(t *testing.T) {
	var table slot.Table
	var slots [8]slot.Slot[token]
	for i := range slots {
		slots[i] = newSlot(t, &table, strings.Repeat("x", i+1), slot.Hooks[token]{})
	}
	v := &token{}
	for name, do := range map[string]func(d *slot.Data){
		"Get":  func(d *slot.Data) { _, _ = slots[7].Get(d) },
		"Take": func(d *slot.Data) { _, _ = slots[7].Take(d) },
		"Set":  func(d *slot.Data) { _ = slots[7].Set(d, v) },
		"Pin":  func(d *slot.Data) { d.Pin(); d.Unpin() },
	} {
		// A new holder each time, so that the first Set is measured, too.
		holders := make([]slot.Data, 102)
		for i := range holders {
			expect.NoError(t, holders[i].Open(bg, &table))
		}
		n := testing.AllocsPerRun(100, func() { do(&holders[0]); holders = holders[1:] })
		expect.Equal(t, "allocations of "+name, n, 0)
	}
	d := make([]slot.Data, 102)
	n := testing.AllocsPerRun(100, func() { _ = d[0].Open(bg, &table); d[0].Release(); d = d[1:] })
	expect.Equal(t, "allocations of Open and Release", n, 0)
}

// Set and Release race: the value is either given to OnRelease or refused, never both and never neither.
func TestSetRacesWithRelease(t *testing.T) {
	var table slot.Table
	released := make(map[*token]int)
	s := newSlot(t, &table, "s", slot.Hooks[token]{OnRelease: func(_ context.Context, v *token) { released[v]++ }})
	v := &token{}
	for range 2000 {
		d := opened(t, &table)
		var err error
		race(func() { err = s.Set(d, v) }, d.Release)
		expect.Equal(t, "given to OnRelease", released[v], map[bool]int{true: 1}[err == nil])
		if err != nil {
			expect.Error(t, err, slot.ErrReleased)
		}
		clear(released)
	}
}

// Take and Release race: one of them gets the value.
func TestTakeRacesWithRelease(t *testing.T) {
	var table slot.Table
	var released *token
	s := newSlot(t, &table, "s", slot.Hooks[token]{OnRelease: func(_ context.Context, v *token) { released = v }})
	v := &token{}
	for range 2000 {
		d := opened(t, &table)
		expect.NoError(t, s.Set(d, v))
		var taken *token
		race(func() { taken, _ = s.Take(d) }, d.Release)
		if (taken == v) == (released == v) {
			t.Fatalf("taken %p, released %p, want one of them to be %p", taken, released, v)
		}
	}
}

// race runs functions at once.
func race(fs ...func()) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for _, f := range fs {
		wg.Go(func() { <-start; f() })
	}
	close(start)
	wg.Wait()
}
