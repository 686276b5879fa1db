package stream_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store"
)

var ada, bob, eve = stream.ID{1}, stream.ID{2}, stream.ID{3}

// names of the sockets, for tables.
var called = map[stream.ID]string{ada: "ada", bob: "bob", eve: "eve"}

// in returns a member.
func in(id stream.ID, seat string) stream.Member { return stream.Member{Socket: id, Seat: seat} }

// room returns a channel with these members, whose stream has a top of 10.
func room(members ...stream.Member) *stream.Channel {
	return &stream.Channel{Name: "room", Top: stream.Position{Epoch: "e", Number: 10}, Members: members}
}

// told writes events as "joined ada left", with the seat in the end.
func told(events []stream.MemberEvent) string {
	var all []string
	for _, e := range events {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Event, called[e.Socket], e.Seat)))
	}
	return strings.Join(all, ", ")
}

// seated writes members as "ada left", with the seat in the end.
func seated(c *stream.Channel) string {
	var all []string
	for _, m := range c.Members {
		all = append(all, strings.TrimSpace(called[m.Socket]+" "+m.Seat))
	}
	return strings.Join(all, ", ")
}

func TestJoin(t *testing.T) {
	pair := stream.Rules{Seats: []string{"left", "right"}}
	replacing := stream.Rules{Seats: pair.Seats, Replace: true}
	for _, test := range []struct {
		name    string
		members []stream.Member
		join    stream.Member
		rules   stream.Rules
		want    string // the events
		seated  string
		err     error
	}{
		{"the first", nil, in(ada, "left"), pair, "joined ada left", "ada left", nil},
		{"the last seat", []stream.Member{in(ada, "left")}, in(bob, "right"), pair,
			"joined bob right, full bob right", "ada left, bob right", nil},
		{"no seat beside all of them", []stream.Member{in(ada, "left")}, in(bob, ""), pair,
			"joined bob", "ada left, bob", nil},
		{"the own seat again", []stream.Member{in(ada, "left")}, in(ada, "left"), pair, "", "ada left", nil},
		{"no seat again", []stream.Member{in(ada, "")}, in(ada, ""), stream.Rules{}, "", "ada", nil},
		{"another seat", []stream.Member{in(ada, "left")}, in(ada, "right"), pair,
			"left ada left, joined ada right", "ada right", nil},
		{"a taken seat", []stream.Member{in(ada, "left")}, in(bob, "left"), pair, "", "ada left", stream.ErrTaken},
		{"a taken seat of no rules", []stream.Member{in(ada, "x")}, in(bob, "x"), stream.Rules{}, "", "ada x",
			stream.ErrTaken},
		{"a replaced member", []stream.Member{in(ada, "left")}, in(bob, "left"), replacing,
			"left ada left, joined bob left", "bob left", nil},
		{"from a seat to one that is replaced", []stream.Member{in(ada, "left"), in(bob, "right")}, in(ada, "right"),
			replacing, "left ada left, left bob right, joined ada right", "ada right", nil},
		{"many without a seat", []stream.Member{in(ada, ""), in(bob, "")}, in(eve, ""), stream.Rules{},
			"joined eve", "ada, bob, eve", nil},
		{"up to the capacity", []stream.Member{in(ada, "")}, in(bob, ""), stream.Rules{Capacity: 2},
			"joined bob, full bob", "ada, bob", nil},
		{"beyond the capacity", []stream.Member{in(ada, ""), in(bob, "")}, in(eve, ""), stream.Rules{Capacity: 2},
			"", "ada, bob", stream.ErrFull},
		{"another seat of a full channel", []stream.Member{in(ada, "x"), in(bob, "")}, in(ada, "y"),
			stream.Rules{Capacity: 2}, "left ada x, joined ada y, full ada y", "bob, ada y", nil},
		{"replaced in a full channel", []stream.Member{in(ada, "x"), in(bob, "")}, in(eve, "x"),
			stream.Rules{Capacity: 2, Replace: true}, "left ada x, joined eve x, full eve x", "bob, eve x", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := room(test.members...)
			before := slices.Clone(c.Members)
			events, err := c.Join(test.join, test.rules)
			if !errors.Is(err, test.err) || told(events) != test.want || seated(c) != test.seated {
				t.Errorf("got %q, members %q, error %v; want %q, %q, %v",
					told(events), seated(c), err, test.want, test.seated, test.err)
			}
			if !slices.Equal(test.members, before) {
				t.Errorf("the members that others may read became %v", test.members)
			}
			for i, e := range events {
				if e.Event != stream.Joined {
					continue
				}
				m, _ := c.Member(test.join.Socket)
				if want := c.Top.Number + uint64(i) + 1; m.Since != want || e.Since != want {
					t.Errorf("since: got %d, and %d in the event, want %d", m.Since, e.Since, want)
				}
			}
		})
	}
}

func TestJoinUnknownSeat(t *testing.T) {
	c := room(in(ada, "left"))
	_, err := c.Join(in(ada, "middle"), stream.Rules{Seats: []string{"left", "right"}})
	if err == nil || !strings.Contains(err.Error(), `no seat "middle"`) || seated(c) != "ada left" {
		t.Errorf("got error %v and members %q", err, seated(c))
	}
}

func TestLeaveAwayBack(t *testing.T) {
	leave, away, back := (*stream.Channel).Leave, (*stream.Channel).Away, (*stream.Channel).Back
	gone := stream.Member{Socket: ada, Seat: "left", Away: true}
	for _, test := range []struct {
		name   string
		member stream.Member
		do     func(*stream.Channel, stream.ID) []stream.MemberEvent
		who    stream.ID
		want   string
		away   bool // afterwards
		seated string
	}{
		{"leave", in(ada, "left"), leave, ada, "left ada left", false, ""},
		{"leave while away", gone, leave, ada, "left ada left", false, ""},
		{"a stranger leaves", in(ada, "left"), leave, bob, "", false, "ada left"},
		{"away", in(ada, "left"), away, ada, "away ada left", true, "ada left"},
		{"away twice", gone, away, ada, "", true, "ada left"},
		{"a stranger is away", in(ada, "left"), away, bob, "", false, "ada left"},
		{"back", gone, back, ada, "back ada left", false, "ada left"},
		{"back without having been away", in(ada, "left"), back, ada, "", false, "ada left"},
		{"a stranger is back", gone, back, bob, "", true, "ada left"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := room(test.member)
			shared := c.Members
			if got := told(test.do(c, test.who)); got != test.want {
				t.Errorf("got events %q, want %q", got, test.want)
			}
			if m, _ := c.Member(ada); seated(c) != test.seated || m.Away != test.away {
				t.Errorf("got members %q, away %t; want %q, %t", seated(c), m.Away, test.seated, test.away)
			}
			if shared[0] != test.member {
				t.Errorf("a member that others may read became %v", shared[0])
			}
		})
	}
}

func TestIsFull(t *testing.T) {
	seats := []string{"left", "right"}
	for _, test := range []struct {
		name    string
		members []stream.Member
		rules   stream.Rules
		want    bool
	}{
		{"no rules", []stream.Member{in(ada, "")}, stream.Rules{}, false},
		{"nobody", nil, stream.Rules{Seats: seats}, false},
		{"one of two seats", []stream.Member{in(ada, "left")}, stream.Rules{Seats: seats}, false},
		{"two seats", []stream.Member{in(ada, "right"), in(bob, "left")}, stream.Rules{Seats: seats}, true},
		{"two seats, one away", []stream.Member{in(ada, "right"), {Socket: bob, Seat: "left", Away: true}},
			stream.Rules{Seats: seats}, true},
		{"two without a seat", []stream.Member{in(ada, ""), in(bob, "")}, stream.Rules{Seats: seats}, false},
		{"below the capacity", []stream.Member{in(ada, "")}, stream.Rules{Capacity: 2}, false},
		{"at the capacity", []stream.Member{in(ada, ""), in(bob, "")}, stream.Rules{Capacity: 2}, true},
		{"at the capacity, with a free seat", []stream.Member{in(ada, "left"), in(bob, "")},
			stream.Rules{Seats: seats, Capacity: 2}, true},
		{"all seats, below the capacity", []stream.Member{in(ada, "left"), in(bob, "right")},
			stream.Rules{Seats: seats, Capacity: 3}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := room(test.members...).IsFull(test.rules); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

func TestEdit(t *testing.T) {
	c := room(in(ada, ""))
	edits := []store.Edit{{Name: "move", Op: store.Set, JSON: `"e4"`}, {Name: "n", Op: store.Add, Delta: 2}}
	if err := c.Edit(&store.Change{Edits: edits}); err != nil {
		t.Fatal(err)
	}
	before := c.State
	wrong := &store.Change{Edits: []store.Edit{
		{Name: "move", Op: store.Add, Delta: 1}, {Name: "n", Op: store.Delete},
	}}
	if err := c.Edit(wrong); !errors.Is(err, store.ErrNotInteger) {
		t.Errorf("an addition to a text: got error %v, want ErrNotInteger", err)
	}
	for name, want := range map[string]string{"move": `"e4"`, "n": "2"} {
		if got, _ := c.State.Get(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if err := c.Edit(&store.Change{Cleared: true}); err != nil || c.State.Len() != 0 || before.Len() != 2 {
		t.Errorf("cleared: got error %v and %d values, and %d of the state before", err, c.State.Len(), before.Len())
	}
}

func TestMemberEventInJSON(t *testing.T) {
	e := stream.MemberEvent{Event: stream.Joined, Member: stream.Member{
		Socket: ada, Seat: "left", Owner: "ada", Session: store.ID{9}, Since: 7, Away: true,
	}}
	text := e.Encode()
	if want := `{"e":"joined","who":"01000000000000000000000000000000","seat":"left"}`; string(text) != want {
		t.Errorf("got %s, want %s", text, want)
	}
	got, err := stream.DecodeMemberEvent(text)
	want := stream.MemberEvent{Event: stream.Joined, Member: in(ada, "left")}
	if err != nil || got != want {
		t.Errorf("got %+v and error %v, want %+v: the rest is not for clients", got, err, want)
	}
	if _, err := stream.DecodeMemberEvent([]byte(`{"who":"x"}`)); err == nil {
		t.Error("no error of a member with an invalid ID")
	}
}
