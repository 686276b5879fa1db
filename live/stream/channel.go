package stream

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/lazysession/session/store"
)

// A Channel is what a log knows of a channel: who is in it, and what its members share. A Channel that a log returns is
// immutable; a log that changes one changes its own copy.
type Channel struct {
	Name    string
	Top     Position     // of its stream
	Members []Member     // in the order of joining
	State   store.Values // what Channel.Do has stored
}

// A Member is a socket's place in a channel.
type Member struct {
	Socket  ID       `json:"who"`
	Session store.ID `json:"-"`
	Owner   string   `json:"-"`
	Seat    string   `json:"seat,omitempty"` // empty: a place without a name
	Away    bool     `json:"-"`              // its connection broke, and it may still come back
	Since   uint64   `json:"-"`              // the number of its Joined event in the channel's stream
}

// Rules say how many members a channel has, and on which seats.
type Rules struct {
	Seats    []string // the names of seats; empty: any name. A name has one member, the empty name any number
	Capacity int      // how many members there may be; 0: any number
	Replace  bool     // a join to a seat that is taken replaces its member; else it is ErrTaken
}

// An Event is what happened to a member.
type Event string

const (
	Joined Event = "joined" // it is a member now
	Full   Event = "full"   // with it, every seat is taken, or the Capacity is reached
	Gone   Event = "away"   // its connection broke
	Back   Event = "back"   // it has come back in time
	Left   Event = "left"   // it is a member no more
)

// A MemberEvent is an entry of a channel's stream: all members see it in the same place among the messages.
type MemberEvent struct {
	Event Event `json:"e"`
	Member
}

// Encode returns the event as the Data of a Message.
func (e MemberEvent) Encode() []byte {
	data, err := json.Marshal(e)
	if err != nil {
		panic(err) // all of it are strings
	}
	return data
}

// DecodeMemberEvent reads the Data of a Message.
func DecodeMemberEvent(data []byte) (e MemberEvent, err error) {
	err = json.Unmarshal(data, &e)
	return e, err
}

// find returns where a socket is in Members, or -1.
func (c *Channel) find(id ID) int {
	return slices.IndexFunc(c.Members, func(m Member) bool { return m.Socket == id })
}

// Member returns the place of a socket, and whether it has one.
func (c *Channel) Member(id ID) (m Member, ok bool) {
	at := c.find(id)
	if at < 0 {
		return Member{}, false
	}
	return c.Members[at], true
}

// Join makes m a member, and returns what happened. A member that joins its own seat again stays, and nothing
// happens; one that joins another seat leaves the old one. The member's Since is set to the number of its Joined event,
// which it gets where the log appends the events in this order behind c.Top.
//
// It returns ErrTaken, ErrFull, or an error that names a seat which the rules don't have. The channel is then as it
// was.
func (c *Channel) Join(m Member, r Rules) ([]MemberEvent, error) {
	if m.Seat != "" && len(r.Seats) > 0 && !slices.Contains(r.Seats, m.Seat) {
		return nil, fmt.Errorf("stream: channel %q has no seat %q", c.Name, m.Seat)
	}
	var leaving []Member
	if was, ok := c.Member(m.Socket); ok {
		if was.Seat == m.Seat {
			return nil, nil
		}
		leaving = append(leaving, was)
	}
	if holder, taken := c.holder(m.Seat); taken {
		if !r.Replace {
			return nil, fmt.Errorf("%w: %q in channel %q", ErrTaken, m.Seat, c.Name)
		}
		leaving = append(leaving, holder)
	}
	if r.Capacity > 0 && len(c.Members)-len(leaving) >= r.Capacity {
		return nil, fmt.Errorf("%w: channel %q takes %d", ErrFull, c.Name, r.Capacity)
	}
	var events []MemberEvent
	for _, old := range leaving {
		events = append(events, c.Leave(old.Socket)...)
	}
	m.Since = c.Top.Number + uint64(len(events)) + 1
	c.Members = append(slices.Clip(c.Members), m)
	events = append(events, MemberEvent{Event: Joined, Member: m})
	if c.IsFull(r) {
		events = append(events, MemberEvent{Event: Full, Member: m})
	}
	return events, nil
}

// holder returns the member that has a seat with a name.
func (c *Channel) holder(seat string) (m Member, taken bool) {
	if seat == "" {
		return Member{}, false
	}
	at := slices.IndexFunc(c.Members, func(m Member) bool { return m.Seat == seat })
	if at < 0 {
		return Member{}, false
	}
	return c.Members[at], true
}

// seated reports whether every seat that has a name is taken.
func (c *Channel) seated(r Rules) bool {
	for _, seat := range r.Seats {
		if _, taken := c.holder(seat); !taken {
			return false
		}
	}
	return len(r.Seats) > 0
}

// IsFull reports whether every seat of the rules is taken, or the Capacity is reached.
func (c *Channel) IsFull(r Rules) bool {
	return r.Capacity > 0 && len(c.Members) >= r.Capacity || c.seated(r)
}

// Leave ends the membership of a socket, and returns what happened: nothing where there was none.
func (c *Channel) Leave(id ID) []MemberEvent {
	at := c.find(id)
	if at < 0 {
		return nil
	}
	m := c.Members[at]
	c.Members = slices.Delete(slices.Clone(c.Members), at, at+1)
	return []MemberEvent{{Event: Left, Member: m}}
}

// Away says that the connection of a member broke, and returns what happened.
func (c *Channel) Away(id ID) []MemberEvent { return c.mark(id, true, Gone) }

// Back says that a member has come back, and returns what happened.
func (c *Channel) Back(id ID) []MemberEvent { return c.mark(id, false, Back) }

// mark sets whether a member is away. Nothing happens where it is so already.
func (c *Channel) mark(id ID, away bool, e Event) []MemberEvent {
	at := c.find(id)
	if at < 0 || c.Members[at].Away == away {
		return nil
	}
	c.Members = slices.Clone(c.Members)
	c.Members[at].Away = away
	return []MemberEvent{{Event: e, Member: c.Members[at]}}
}

// Edit changes the state by what the change says of values. After an error the state is as it was.
func (c *Channel) Edit(change *store.Change) error {
	after, err := (&store.Change{Cleared: change.Cleared, Edits: change.Edits}).Apply(&store.Record{Values: c.State}, 0)
	if err == nil {
		c.State = after.Values
	}
	return err
}
