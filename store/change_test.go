package store_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lazysession/session/store"
)

const noon = store.Instant(1_700_000_000_000_000)

// record returns a record at version 3 with values a, b and n.
func record() *store.Record {
	return &store.Record{
		Token: store.Token{1}, ID: store.ID{2}, Version: 3, Created: noon - 10, LastSeen: noon - 5,
		IdleTimeout: time.Minute, Lifetime: time.Hour, Owner: "ann", Labels: map[string]string{"device": "laptop"},
		Values: store.MakeValues([]store.Value{{"a", "1"}, {"b", "2"}, {"n", "7"}}),
	}
}

func values(pairs ...string) store.Values {
	var vs []store.Value
	for pair := range slices.Chunk(pairs, 2) {
		vs = append(vs, store.Value{Name: pair[0], JSON: pair[1]})
	}
	return store.MakeValues(vs)
}

func TestApply(t *testing.T) {
	type change = store.Change
	for _, tt := range []struct {
		name    string
		change  change
		version uint32
		want    func(r *store.Record)
	}{
		{"nothing", change{}, 3, func(*store.Record) {}},
		{"a touch", change{Touched: true}, 3, func(r *store.Record) { r.LastSeen = noon }},
		{"a set", change{Edits: []store.Edit{{Name: "b", JSON: "3"}, {Name: "c", JSON: "4"}}}, 4,
			func(r *store.Record) { r.Values = values("a", "1", "b", "3", "c", "4", "n", "7") }},
		{"a delete", change{Edits: []store.Edit{{Name: "a", Op: store.Delete}, {Name: "x", Op: store.Delete}}}, 4,
			func(r *store.Record) { r.Values = values("b", "2", "n", "7") }},
		{"adds", change{Edits: []store.Edit{{Name: "m", Op: store.Add, Delta: -2}, {Name: "n", Op: store.Add, Delta: 3}}}, 4,
			func(r *store.Record) { r.Values = values("a", "1", "b", "2", "m", "-2", "n", "10") }},
		{"a clear before edits", change{Cleared: true, Edits: []store.Edit{{Name: "n", Op: store.Add, Delta: 3}}}, 4,
			func(r *store.Record) { r.Values = values("n", "3") }},
		{"edits in any order", change{Edits: []store.Edit{
			{Name: "longer", JSON: "1"}, {Name: "n", Op: store.Add, Delta: 1}, {Name: "b", Op: store.Delete},
		}}, 4,
			func(r *store.Record) { r.Values = values("a", "1", "n", "8", "longer", "1") }},
		{"a renewal", change{RenewTo: store.Token{9}}, 4, func(r *store.Record) { r.Token = store.Token{9} }},
		{"an owner", change{Owner: new("bob")}, 4, func(r *store.Record) { r.Owner = "bob" }},
		{"no owner", change{Owner: new("")}, 4, func(r *store.Record) { r.Owner = "" }},
		{"labels", change{Labels: map[string]string{"device": "", "place": "home"}}, 4,
			func(r *store.Record) { r.Labels = map[string]string{"place": "home"} }},
		{"persistent", change{Persistent: new(true)}, 4, func(r *store.Record) { r.Persistent = true }},
		{"timeouts", change{IdleTimeout: 2, Lifetime: 3}, 4,
			func(r *store.Record) { r.LastSeen, r.IdleTimeout, r.Lifetime = noon, 2, 3 }},
		{"a touch with an edit", change{Touched: true, Edits: []store.Edit{{Name: "a", Op: store.Delete}}}, 4,
			func(r *store.Record) { r.LastSeen, r.Values = noon, values("b", "2", "n", "7") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			old, want := record(), record()
			tt.want(want)
			want.Version = tt.version
			got, err := tt.change.Apply(old, noon)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
			if !reflect.DeepEqual(old, record()) {
				t.Errorf("the old record became %+v", old)
			}
		})
	}
}

func TestApplyTouchNeverMovesBack(t *testing.T) {
	old := record()
	r, err := (&store.Change{Touched: true}).Apply(old, old.LastSeen-1)
	if err != nil || r.LastSeen != old.LastSeen {
		t.Errorf("LastSeen: got %v, %v, want %v", r.LastSeen, err, old.LastSeen)
	}
}

func TestApplyRefuses(t *testing.T) {
	c := store.Change{Owner: new("bob"), Edits: []store.Edit{
		{Name: "a", JSON: `"x"`}, {Name: "b", Op: store.Add, Delta: math.MaxInt64},
	}}
	r, err := c.Apply(record(), noon)
	var edit *store.EditError
	if !errors.As(err, &edit) || edit.Name != "b" || !errors.Is(err, store.ErrNotInteger) {
		t.Errorf("got error %v, want an EditError for b with %v", err, store.ErrNotInteger)
	}
	if r != nil {
		t.Errorf("got half a record: %+v", r)
	}
}

func TestNew(t *testing.T) {
	c := store.Change{
		Created: true, ID: store.ID{2}, IdleTimeout: time.Minute, Lifetime: time.Hour, Owner: new("ann"),
		Labels: map[string]string{"device": "laptop"}, Edits: []store.Edit{{Name: "a", JSON: "1"}},
	}
	want := &store.Record{
		Token: store.Token{1}, ID: store.ID{2}, Version: 1, Created: noon, LastSeen: noon, IdleTimeout: time.Minute,
		Lifetime: time.Hour, Owner: "ann", Labels: map[string]string{"device": "laptop"}, Values: values("a", "1"),
	}
	got, err := c.New(store.Token{1}, noon)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	c.Labels["device"] = "spoilt"
	if got.Labels["device"] != "laptop" {
		t.Error("the record shares the change's labels")
	}
}

func TestNewNeedsTimeouts(t *testing.T) {
	for _, c := range []store.Change{
		{Lifetime: 1}, {IdleTimeout: 1}, {IdleTimeout: -1, Lifetime: 1}, {IdleTimeout: 1, Lifetime: -1},
	} {
		if r, err := c.New(store.Token{1}, noon); err == nil {
			t.Errorf("idle timeout %v, lifetime %v: got %+v, want an error", c.IdleTimeout, c.Lifetime, r)
		}
	}
}

// TestMutates sets each field of a Change alone, so that a field that is added later is not forgotten in Mutates.
func TestMutates(t *testing.T) {
	inert := []string{"ID", "IfVersion", "IfValue", "MaxPerOwner", "NoRecord"} // change nothing by themselves
	typ := reflect.TypeFor[store.Change]()
	for i := range typ.NumField() {
		var c store.Change
		field, name := reflect.ValueOf(&c).Elem().Field(i), typ.Field(i).Name
		field.Set(something(field.Type()))
		if got, want := c.Mutates(), name != "Touched" && !slices.Contains(inert, name); got != want {
			t.Errorf("Mutates with %s: got %v, want %v", name, got, want)
		}
		if got, want := c.IsZero(), slices.Contains(inert, name); got != want {
			t.Errorf("IsZero with %s: got %v, want %v", name, got, want)
		}
	}
}

// something returns a value that is not zero.
func something(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	switch t.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8, reflect.Uint32:
		v.SetUint(1)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Array:
		v.Index(0).Set(something(t.Elem()))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(t, 1, 1))
	case reflect.Map:
		v.Set(reflect.MakeMap(t))
		v.SetMapIndex(reflect.Zero(t.Key()), reflect.Zero(t.Elem()))
	case reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
	default:
		panic("no value for " + t.String())
	}
	return v
}

func TestAllows(t *testing.T) {
	r := record()
	r.Values = values("a", "1", "e", `""`)
	is := func(name, doc string) *store.Value { return &store.Value{Name: name, JSON: doc} }
	for _, tt := range []struct {
		change store.Change
		record *store.Record
		want   bool
	}{
		{store.Change{}, r, true},
		{store.Change{IfVersion: 3}, r, true},
		{store.Change{IfVersion: 2}, r, false},
		{store.Change{IfVersion: 4}, r, false},
		{store.Change{IfValue: is("a", "1")}, r, true},
		{store.Change{IfValue: is("a", "1.0")}, r, false},
		{store.Change{IfValue: is("a", "")}, r, false},
		{store.Change{IfValue: is("b", "1")}, r, false},
		{store.Change{IfValue: is("b", "")}, r, true},
		{store.Change{IfValue: is("e", `""`)}, r, true},
		{store.Change{IfValue: is("a", "1"), IfVersion: 2}, r, false},
		{store.Change{IfValue: is("a", "2"), IfVersion: 3}, r, false},
		{store.Change{IfValue: is("a", "1"), IfVersion: 3}, r, true},
		{store.Change{IfValue: is("a", "1"), Cleared: true, Edits: []store.Edit{{Name: "a", JSON: "2"}}}, r, true},
		{store.Change{}, nil, true},
		{store.Change{IfVersion: 1}, nil, false},
		{store.Change{IfValue: is("a", "")}, nil, false},
	} {
		if got := tt.change.Allows(tt.record); got != tt.want {
			t.Errorf("Allows of %+v with value %+v: got %v, want %v", tt.change, tt.change.IfValue, got, tt.want)
		}
	}
}

func TestFilterMatches(t *testing.T) {
	for _, tt := range []struct {
		filter      store.Filter
		ann, nobody bool
	}{
		{store.Filter{}, false, false},
		{store.Filter{Owner: "ann"}, true, false},
		{store.Filter{Owner: "bob"}, false, false},
		{store.Filter{All: true}, true, true},
		{store.Filter{All: true, Owner: "bob"}, true, true},
	} {
		ann, nobody := tt.filter.Matches(&store.Record{Owner: "ann"}), tt.filter.Matches(&store.Record{})
		if ann != tt.ann || nobody != tt.nobody {
			t.Errorf("%+v: matches ann's %v, nobody's %v, want %v, %v", tt.filter, ann, nobody, tt.ann, tt.nobody)
		}
	}
}

func TestFind(t *testing.T) {
	c := store.Change{Edits: []store.Edit{{Name: "b"}, {Name: "d"}}}
	for name, want := range map[string]struct {
		at    int
		found bool
	}{"a": {0, false}, "b": {0, true}, "c": {1, false}, "d": {1, true}, "e": {2, false}} {
		if at, found := c.Find(name); at != want.at || found != want.found {
			t.Errorf("Find(%q) = %d, %v, want %d, %v", name, at, found, want.at, want.found)
		}
	}
}

func TestAddJSON(t *testing.T) {
	for _, tt := range []struct {
		doc   string
		delta int64
		want  int64
	}{
		{"", 5, 5},
		{"", math.MinInt64, math.MinInt64},
		{"1", 2, 3},
		{"-1", 1, 0},
		{"9007199254740993", 1, 9007199254740994},
		{"9223372036854775806", 1, math.MaxInt64},
		{"-9223372036854775807", -1, math.MinInt64},
		{"9223372036854775807", math.MinInt64, -1},
		{"-9223372036854775808", 0, math.MinInt64},
	} {
		if got, err := store.AddJSON(tt.doc, tt.delta); got != tt.want || err != nil {
			t.Errorf("AddJSON(%q, %d) = %d, %v, want %d", tt.doc, tt.delta, got, err, tt.want)
		}
	}
}

func TestAddJSONRefuses(t *testing.T) {
	for _, tt := range []struct {
		doc   string
		delta int64
	}{
		{"9223372036854775807", 1}, {"-9223372036854775808", -1}, {"9223372036854775808", -1},
		{"1.0", 1}, {"-0", 1}, {"1e3", 1},
		{`"1"`, 1}, {`""`, 1}, {"null", 1}, {"true", 1}, {"[]", 1}, {"{}", 1}, {"+1", 1}, {" 1", 1}, {"1_000", 1}, {"0x1", 1},
	} {
		if got, err := store.AddJSON(tt.doc, tt.delta); !errors.Is(err, store.ErrNotInteger) {
			t.Errorf("AddJSON(%q, %d) = %d, %v, want %v", tt.doc, tt.delta, got, err, store.ErrNotInteger)
		}
	}
}

func TestOpString(t *testing.T) {
	got := fmt.Sprint(store.Set, store.Delete, store.Add, store.Op(7))
	if want := "set delete add Op(7)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzApply compares Apply with a map. Each line of a script is a change: "a=1" sets, "-a" deletes, "a+1" adds, "!"
// clears.
func FuzzApply(f *testing.F) {
	f.Add("a=1\nb=2\nc=3", "b=x\n-c\nd+7")
	f.Add("n=5", "!\nn+3")
	f.Add("n=9223372036854775807\na=1", "-a\nn+1")
	f.Add("s=\"x\"", "a=1\ns+1\nz=1")
	f.Add("", "-a")
	f.Add("aa=1\na=2\nab=3", "a=\nb="+strings.Repeat("x", 300))
	f.Fuzz(func(t *testing.T, before, script string) {
		old := &store.Record{Version: 1}
		model := map[string]string{}
		for _, text := range []string{before, script} {
			c := parseChange(text)
			r, err := c.Apply(old, noon)
			next, ok := applyToMap(model, c)
			if ok != (err == nil) {
				t.Fatalf("applying %+v to %q: got error %v, the model says %v", c, model, err, ok)
			}
			if err != nil {
				continue
			}
			wantModel(t, r.Values, next)
			wantModel(t, old.Values, model)
			old, model = r, next
		}
	})
}

func parseChange(script string) *store.Change {
	edits := map[string]store.Edit{}
	c := new(store.Change)
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		if line == "!" {
			c.Cleared = true
		} else if name, ok := strings.CutPrefix(line, "-"); ok {
			edits[name] = store.Edit{Name: name, Op: store.Delete}
		} else if name, doc, ok := strings.Cut(line, "="); ok {
			edits[name] = store.Edit{Name: name, Op: store.Set, JSON: doc}
		} else if name, delta, ok := strings.Cut(line, "+"); ok {
			n, _ := strconv.ParseInt(delta, 10, 64)
			edits[name] = store.Edit{Name: name, Op: store.Add, Delta: n}
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(edits), store.CompareNames) {
		c.Edits = append(c.Edits, edits[name])
	}
	return c
}

// applyToMap is Apply to the values, in the naive way.
func applyToMap(model map[string]string, c *store.Change) (after map[string]string, ok bool) {
	after = maps.Clone(model)
	if c.Cleared {
		clear(after)
	}
	for _, e := range c.Edits {
		switch e.Op {
		case store.Set:
			after[e.Name] = e.JSON
		case store.Delete:
			delete(after, e.Name)
		case store.Add:
			sum, err := store.AddJSON(after[e.Name], e.Delta)
			if err != nil {
				return nil, false
			}
			after[e.Name] = strconv.FormatInt(sum, 10)
		}
	}
	return after, true
}

// wantModel tests values with every method that reads them.
func wantModel(t *testing.T, got store.Values, want map[string]string) {
	t.Helper()
	names, size := slices.SortedFunc(maps.Keys(want), store.CompareNames), 0
	var order []string
	for name, doc := range got.All() {
		order = append(order, name)
		size += len(name) + len(doc)
		if other, ok := got.Get(name); !ok || other != doc || doc != want[name] {
			t.Fatalf("value %q: All says %q, Get %q, %v, want %q", name, doc, other, ok, want[name])
		}
	}
	if !slices.Equal(order, names) || got.Len() != len(want) || got.Size() != size {
		t.Fatalf("got names %q, %d values of %d bytes, want %q", order, got.Len(), got.Size(), names)
	}
}
