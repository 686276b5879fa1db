package store_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/lazysession/session/store"
)

func TestMakeValuesSorts(t *testing.T) {
	v := store.MakeValues([]store.Value{{"b", "2"}, {"a", "1"}, {"é", "4"}, {"aa", "3"}})
	var got []string
	for name, doc := range v.All() {
		got = append(got, name+"="+doc)
	}
	if want := []string{"a=1", "b=2", "aa=3", "é=4"}; !slices.Equal(got, want) {
		t.Errorf("All: got %v, want %v", got, want)
	}
}

func TestMakeValuesKeepsOneOfAName(t *testing.T) {
	v := store.MakeValues([]store.Value{{"a", "1"}, {"b", "2"}, {"a", "1"}})
	if got, want := maps.Collect(v.All()), map[string]string{"a": "1", "b": "2"}; !maps.Equal(got, want) || v.Len() != 2 {
		t.Errorf("got %v (%d), want %v", got, v.Len(), want)
	}
}

func TestValuesGet(t *testing.T) {
	long, empty := strings.Repeat("n", 255), store.Values{}
	v := store.MakeValues([]store.Value{{"a", "1"}, {long, `"long"`}, {"z", strings.Repeat("[", 70_000)}})
	for _, tt := range []struct {
		values store.Values
		name   string
		want   string
		ok     bool
	}{
		{v, "a", "1", true},
		{v, long, `"long"`, true},
		{v, "z", strings.Repeat("[", 70_000), true},
		{v, "", "", false},
		{v, "A", "", false},
		{v, "b", "", false},
		{v, long[1:], "", false},
		{empty, "a", "", false},
	} {
		if got, ok := tt.values.Get(tt.name); got != tt.want || ok != tt.ok {
			t.Errorf("Get(%.20q) = %.20q, %v, want %.20q, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

func TestValuesSize(t *testing.T) {
	v := store.MakeValues([]store.Value{{"a", "1"}, {"bc", `"é"`}})
	if got, want := v.Size(), len("a")+len("1")+len("bc")+len(`"é"`); got != want {
		t.Errorf("Size: got %d, want %d", got, want)
	}
	if n := (store.Values{}).Size(); n != 0 {
		t.Errorf("Size of none: got %d, want 0", n)
	}
}

func TestValuesAllStops(t *testing.T) {
	n := 0
	for range store.MakeValues([]store.Value{{"a", "1"}, {"b", "2"}}).All() {
		n++
		break
	}
	if n != 1 {
		t.Errorf("the loop ran %d times after break, want 1", n)
	}
}

func TestValuesGetAllocatesNothing(t *testing.T) {
	v := store.MakeValues([]store.Value{{"a", "1"}, {"b", `"two"`}, {"c", "3"}})
	var doc string
	if n := testing.AllocsPerRun(100, func() { doc, _ = v.Get("c") }); n != 0 || doc != "3" {
		t.Errorf("Get: %v allocations, want 0", n)
	}
}
