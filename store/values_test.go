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

// TestMakeValuesAtTheEdges packs values of lengths around those at which the uvarint takes one more byte: sorted,
// unsorted and doubled.
func TestMakeValuesAtTheEdges(t *testing.T) {
	lengths := []int{0, 1, 126, 127, 128, 129, 255, 16_383, 16_384}
	want := map[string]string{}
	var vs []store.Value
	for _, nameLength := range lengths[1:7] {
		for _, docLength := range lengths {
			name := strings.Repeat("n", nameLength-1) + string(rune('a'+len(want)%9))
			want[name] = strings.Repeat("d", docLength)
			vs = append(vs, store.Value{Name: name, JSON: want[name]})
		}
	}
	sorted := store.MakeValues(slices.Clone(vs))
	slices.Reverse(vs)
	for order, vs := range map[string][]store.Value{
		"sorted": slices.SortedFunc(slices.Values(vs), func(a, b store.Value) int {
			return store.CompareNames(a.Name, b.Name)
		}),
		"back":  slices.Clone(vs),
		"twice": slices.Concat(vs, vs),
	} {
		got := store.MakeValues(vs)
		if got != sorted || got.Len() != len(want) || !maps.Equal(maps.Collect(got.All()), want) {
			t.Errorf("%s: got %d values, want %d", order, got.Len(), len(want))
		}
		for name, doc := range want {
			if other, ok := got.Get(name); !ok || other != doc {
				t.Errorf("%s: value of a name of %d bytes: got %d bytes, %v, want %d", order, len(name), len(other), ok, len(doc))
			}
		}
	}
}

func TestValuesFootprint(t *testing.T) {
	v := store.MakeValues([]store.Value{{"a", strings.Repeat("1", 127)}, {"b", strings.Repeat("1", 128)}})
	const lengths = 2 + 1 + 2 // of the names, and of the documents
	if got, want := v.Footprint(), v.Size()+lengths; got != want {
		t.Errorf("Footprint: got %d, want %d", got, want)
	}
	if n := (store.Values{}).Footprint(); n != 0 {
		t.Errorf("Footprint of none: got %d, want 0", n)
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
