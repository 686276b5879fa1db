package postgres_test

import (
	"cmp"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lazysession/session/store"
)

// A change that expects a document is allowed, even if jsonb stores the document in another form.
func TestIfValueOfAnyDocument(t *testing.T) {
	s, _ := newStore(t)
	for i, doc := range nasty {
		name := fmt.Sprintf("%d \"é\u2028", i)
		r := create(t, s, creation(set(name, doc)))
		for _, c := range []*store.Change{{}, {Edits: []store.Edit{set("seen", "true")}}} {
			c.IfValue = &store.Value{Name: name, JSON: doc}
			if _, err := s.Commit(t.Context(), r.Token, c); err != nil {
				t.Errorf("IfValue %.80q, which is the value: got %v", doc, err)
			}
		}
	}
}

func TestIfValueIsComparedExactly(t *testing.T) {
	s, _ := newStore(t)
	for _, tt := range []struct{ value, expected string }{
		{"1.0", "1"}, {"1", "1.0"}, {"0.10", "0.1"}, {"0", "-0"}, {"10", "1e1"}, {`"é"`, `"\u00e9"`},
		{`"\u00e9"`, `"é"`}, {`{"a":1,"b":2}`, `{"b":2,"a":1}`}, {"[1,2]", "[1, 2]"}, {`"x"`, `["x"]`}, {`["x"]`, `"x"`},
		{"null", ""}, {"", "null"}, {"", "1"}, {"1", ""}, {`""`, ""}, {"true", `"true"`},
	} {
		c := creation(set("other", cmp.Or(tt.expected, "0")))
		if tt.value != "" {
			c.Edits = append(c.Edits, set("v", tt.value))
		}
		r := create(t, s, c)
		for what, c := range map[string]*store.Change{
			"set":          {Edits: []store.Edit{set("v", "9")}},
			"touch":        {Touched: true},
			"empty change": {},
			"renewal":      {RenewTo: newToken()},
		} {
			c.IfValue = &store.Value{Name: "v", JSON: tt.expected}
			if _, err := s.Commit(t.Context(), r.Token, c); !errors.Is(err, store.ErrConflict) {
				t.Errorf("%s that expects %q instead of %q: got %v, want %v",
					what, tt.expected, tt.value, err, store.ErrConflict)
			}
		}
		if got := load(t, s, r.Token); got.Values != r.Values || got.Version != r.Version {
			t.Errorf("after refused changes: got %+v, want %+v", got, r)
		}
	}
}

func TestCreationThatExpectsConflicts(t *testing.T) {
	s, _ := newStore(t)
	for _, expected := range []store.Change{
		{IfVersion: 1}, {IfValue: &store.Value{Name: "a", JSON: "1"}}, {IfValue: &store.Value{Name: "b"}},
	} {
		c := creation(set("a", "1"))
		c.IfVersion, c.IfValue = expected.IfVersion, expected.IfValue
		token := newToken()
		if _, err := s.Commit(t.Context(), token, c); !errors.Is(err, store.ErrConflict) {
			t.Errorf("creating with %+v: got %v, want %v", expected, err, store.ErrConflict)
		}
		wantLoadError(t, s, token, store.ErrNotFound)
	}
}

// The stored time when the session was last seen may be old by a tenth of the old idle timeout, which can be more than
// the new idle timeout.
func TestShorterIdleTimeoutCountsFromNow(t *testing.T) {
	s, pool := newStore(t)
	r := create(t, s, creation())
	exec(t, pool, "UPDATE %s SET created = created - interval '5 minutes', lapses = lapses - interval '5 minutes'")
	before := value[time.Time](t, pool, "SELECT now()")
	r = commit(t, s, r.Token, &store.Change{IdleTimeout: time.Minute})
	lapses := value[time.Time](t, pool, "SELECT lapses FROM %s")
	after := value[time.Time](t, pool, "SELECT now()")
	if lapses.Before(before.Add(time.Minute)) || lapses.After(after.Add(time.Minute)) {
		t.Errorf("it lapses at %v, want one minute after a time from %v to %v", lapses, before, after)
	}
	if load(t, s, r.Token).IdleTimeout != time.Minute {
		t.Errorf("idle timeout: got %v, want 1 min", r.IdleTimeout)
	}
	if due := value[time.Time](t, pool, "SELECT due FROM %s"); due.Before(lapses) || due.After(lapses.Add(time.Second)) {
		t.Errorf("due at %v, want %v and up to a second more", due, lapses)
	}
}

func TestListYieldsWhatItsFilterNames(t *testing.T) {
	s, _ := newStore(t)
	create(t, s, login("ann", 0))
	create(t, s, creation())
	for _, tt := range []struct {
		filter store.Filter
		want   int
	}{
		{store.Filter{}, 0},
		{store.Filter{Owner: "ann"}, 1},
		{store.Filter{All: true}, 2},
		{store.Filter{Owner: "ann", All: true}, 2},
	} {
		if n := listed(t, s, tt.filter); n != tt.want {
			t.Errorf("List %+v: got %d, want %d", tt.filter, n, tt.want)
		}
	}
}
