package slot_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/slot"
)

func TestTwoPackagesAskForOneName(t *testing.T) {
	var table slot.Table
	a := newSlot(t, &table, "example.com/app.limit", slot.Hooks[token]{})
	b, err := slot.New(&table, "example.com/app.limit", slot.Hooks[int]{})
	expect.Error(t, err, slot.ErrTaken, `"example.com/app.limit"`, "slot_test.go:")
	expect.Equal(t, "String of what came with the error", b.String(), "no slot")

	d := opened(t, &table)
	expect.NoError(t, a.Set(d, &token{}))
	if _, err := b.Get(d); err == nil {
		t.Error("Get with a refused slot: no error")
	}
	if err := b.Set(d, nil); err == nil {
		t.Error("Set with a refused slot: no error")
	}
	if _, err := b.Take(d); err == nil {
		t.Error("Take with a refused slot: no error")
	}
	expect.Equal(t, "context that a refused slot hands in", b.WithValue(bg, nil), bg)
}

func TestSlotAskedForTooLate(t *testing.T) {
	var table slot.Table
	newSlot(t, &table, "early", slot.Hooks[token]{})
	opened(t, &table).Release()
	_, err := slot.New(&table, "late", slot.Hooks[token]{})
	expect.Error(t, err, slot.ErrFrozen, `"late"`)
	_, err = slot.New(&table, "early", slot.Hooks[token]{})
	expect.Error(t, err, slot.ErrTaken, `"early"`)
}

func TestSlotAskedForByAHook(t *testing.T) {
	var table slot.Table
	var err error
	newSlot(t, &table, "early", slot.Hooks[token]{OnRelease: func(context.Context, *token) {
		_, err = slot.New(&table, "late", slot.Hooks[token]{})
	}})
	opened(t, &table).Release()
	expect.Error(t, err, slot.ErrFrozen)
}

func TestSlotOfAnotherTable(t *testing.T) {
	var server, client slot.Table
	s := newSlot(t, &server, "s", slot.Hooks[token]{})
	newSlot(t, &client, "s", slot.Hooks[token]{})
	d := opened(t, &client)
	_, err := s.Get(d)
	expect.Error(t, err, slot.ErrOtherTable, `"s"`)
	expect.Error(t, s.Set(d, &token{}), slot.ErrOtherTable, `"s"`)
	_, err = s.Take(d)
	expect.Error(t, err, slot.ErrOtherTable, `"s"`)
}

type emptyHanded struct{}

func (*emptyHanded) SlotData() *slot.Data { return nil }

func TestHoldersWithoutData(t *testing.T) {
	var table slot.Table
	s := newSlot(t, &table, "s", slot.Hooks[token]{})
	for name, h := range map[string]slot.Holder{
		"nil":            nil,
		"without data":   (*emptyHanded)(nil),
		"nil data":       (*slot.Data)(nil),
		"not yet opened": new(slot.Data),
	} {
		_, err := s.Get(h)
		expect.Error(t, err, slot.ErrNoData, `"s"`)
		expect.Error(t, s.Set(h, &token{}), slot.ErrNoData, `"s"`)
		_, err = s.Take(h)
		expect.Error(t, err, slot.ErrNoData, `"s"`)
		if t.Failed() {
			t.Fatal("holder:", name)
		}
	}
}

func TestSetUpMistakes(t *testing.T) {
	if _, err := slot.New(nil, "s", slot.Hooks[token]{}); err == nil {
		t.Error("a nil table: no error")
	}
	if _, err := slot.New(new(slot.Table), "", slot.Hooks[token]{}); err == nil {
		t.Error("an empty name: no error")
	}
	expect.Equal(t, "figures of a nil table", (*slot.Table)(nil).Figures(), slot.Figures{})
}

// A table is asked for slots and frozen at once. Every slot that it returns can be used.
func TestAskingRacesWithOpening(t *testing.T) {
	for range 500 {
		var table slot.Table
		var s slot.Slot[token]
		var err error
		d := new(slot.Data)
		race(func() { s, err = slot.New(&table, "s", slot.Hooks[token]{}) }, func() { expect.NoError(t, d.Open(bg, &table)) })
		if err != nil {
			expect.Error(t, err, slot.ErrFrozen)
			continue
		}
		expect.NoError(t, s.Set(d, &token{}))
		d.Release()
	}
}

// The text of each error begins with the name of the package.
func TestErrorsBeginWithThePackage(t *testing.T) {
	var table slot.Table
	s := newSlot(t, &table, "s", slot.Hooks[token]{})
	d := opened(t, &table)
	errs := []error{slot.ErrTaken, slot.ErrFrozen, slot.ErrOtherTable, slot.ErrNoData, slot.ErrReleased}
	note := func(_ any, err error) { errs = append(errs, err) }
	note(slot.New(&table, "s", slot.Hooks[token]{}))
	note(slot.New(&table, "late", slot.Hooks[token]{}))
	note(slot.New(&table, "", slot.Hooks[token]{}))
	note(slot.New(nil, "s", slot.Hooks[token]{}))
	note(s.Get(nil))
	note(s.Get(opened(t, nil)))
	note(nil, d.Open(bg, &table))
	d.Release()
	note(s.Get(d))
	note(slot.Slot[token]{}.Get(d))
	for _, err := range errs {
		if text := fmt.Sprint(err); !strings.HasPrefix(text, "slot: ") || strings.Count(text, "slot: ") != 1 {
			t.Errorf("error: got %q, want one that begins with the package, once", text)
		}
	}
}
