package main

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live"
)

// A room has two seats. Each side waits for the other, and a third is refused.
var roomRules = live.Rules{Seats: []string{"left", "right"}}

// Both sides of a room share these. They are values of the room's channel, and end with it.
var (
	roomIdentity = session.NewKey[int]("identity")
	roomMessages = session.NewCounter("messages")
)

// A roomCall is what the page of a room sends: to enter, or to say something.
type roomCall struct {
	Room string  `json:"room"`
	Seat string  `json:"seat"` // the one that the page had before; empty: none
	Say  *string `json:"say"`  // nil: enter
}

// A said is something that was said in a room, or with no text, the room's identity.
type said struct {
	Identity int    `json:"identity"`
	Index    int64  `json:"index"` // of the messages in this room: 0, 1, 2…
	Seat     string `json:"seat,omitempty"`
	Name     string `json:"name,omitempty"`
	Text     string `json:"text,omitempty"`
}

func (l *liveSite) useRoom(ctx context.Context, s *live.Socket, call roomCall) error {
	if !isRoom(call.Room) {
		return live.Refuse("room", "There is no such room.")
	}
	room := l.hub.Channel("room/"+call.Room, &roomRules)
	if call.Say != nil {
		return say(ctx, s, room, *call.Say)
	}
	return enter(ctx, s, room, call.Seat)
}

// enter takes a seat, and returns when the other one is taken too: only then is the page's message acknowledged. Where
// the server ends meanwhile, the page sends it again, and finds its seat kept.
func enter(ctx context.Context, s *live.Socket, room *live.Channel, before string) error {
	seat, err := takeSeat(ctx, s, room, before)
	if err != nil {
		return err
	}
	if err := seat.Wait(ctx); err != nil {
		return err
	}
	return room.Do(ctx, func(ctx context.Context) error {
		identity, err := identityOf(ctx)
		if err != nil {
			return err
		}
		data, err := json.Marshal(said{Identity: identity})
		if err != nil {
			return err
		}
		return s.Send(ctx, data)
	})
}

// takeSeat takes the seat that the socket has already, or had before, or else one that is free.
func takeSeat(ctx context.Context, s *live.Socket, room *live.Channel, before string) (*live.Member, error) {
	has, _, err := seatOf(ctx, s, room)
	if err != nil {
		return nil, err
	}
	if has != "" {
		return room.Join(ctx, s, has)
	}
	seats := roomRules.Seats
	if i := slices.Index(seats, before); i > 0 {
		seats = []string{seats[i], seats[0]}
	}
	for _, seat := range seats {
		member, err := room.Join(ctx, s, seat)
		if !errors.Is(err, live.ErrTaken) {
			return member, err
		}
	}
	return nil, live.Refuse("taken", "There are two people in this room already, and there is no place for a third.")
}

// seatOf returns the socket's seat, empty where it has none, and how many seats are taken.
func seatOf(ctx context.Context, s *live.Socket, room *live.Channel) (seat string, taken int, err error) {
	members, err := room.Members(ctx)
	for _, m := range members {
		if m.Socket == s.ID() {
			seat = m.Seat
		}
	}
	return seat, len(members), err
}

// identityOf returns the number that stands for the room. The first who asks draws it.
func identityOf(ctx context.Context) (int, error) {
	return roomIdentity.Update(ctx, func(identity int) (int, error) {
		if identity == 0 {
			identity = 1000 + rand.IntN(9000)
		}
		return identity, nil
	})
}

// say sends a text to both sides, with the index that it gets. Both are committed with the page's message, so the
// indexes have no holes, and each message has one.
func say(ctx context.Context, s *live.Socket, room *live.Channel, text string) error {
	text, wrong := cleanText(text)
	if wrong != "" {
		return live.Refuse("text", wrong)
	}
	seat, taken, err := seatOf(ctx, s, room)
	switch {
	case err != nil:
		return err
	case seat == "":
		return live.Refuse("out", "You are not in this room.")
	case taken < len(roomRules.Seats):
		return live.Refuse("alone", "Nobody else is here.")
	}
	name, err := nameOf(ctx)
	if err != nil {
		return err
	}
	return room.Do(ctx, func(ctx context.Context) error {
		identity, err := identityOf(ctx)
		if err != nil {
			return err
		}
		next, err := roomMessages.Add(ctx, 1)
		if err != nil {
			return err
		}
		data, err := json.Marshal(said{Identity: identity, Index: next - 1, Seat: seat, Name: name, Text: text})
		if err != nil {
			return err
		}
		return room.Send(ctx, data)
	})
}
