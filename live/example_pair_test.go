package live_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live"
)

// A game for two: each player waits for the other, a third is refused, and both share the number of the move.
func Example_pair() {
	site := newExampleSite()
	defer site.Close()
	var moves = session.NewCounter("moves") // in the state of the channel
	board := site.hub.Channel("board/7", &live.Rules{Seats: []string{"left", "right"}})
	site.mux.Handle("/live", site.hub.Handler(live.Endpoint{
		Message: live.On(func(ctx context.Context, s *live.Socket, said struct{ Sit, Move string }) error {
			if said.Sit != "" {
				member, err := board.Join(ctx, s, said.Sit)
				if errors.Is(err, live.ErrTaken) {
					return live.Refuse("taken", "Somebody else plays here.")
				}
				if err != nil {
					return err
				}
				return member.Wait(ctx) // until the other player is here, too
			}
			return board.Do(ctx, func(ctx context.Context) error {
				n, err := moves.Next(ctx) // exact: no other Do of the channel runs meanwhile
				if err != nil {
					return err
				}
				return board.Send(ctx, fmt.Appendf(nil, `"move %d: %s"`, n, said.Move))
			})
		}),
	}))

	ctx := context.Background()
	ann, bob, eve := site.connect("ann"), site.connect("bob"), site.connect("eve")
	for _, c := range []*live.Conn{ann, bob, eve} {
		defer c.Close()
	}
	waited := make(chan error)
	go func() { waited <- ann.Send(ctx, []byte(`{"sit":"left"}`)) }()
	fmt.Println("bob:", bob.Send(ctx, []byte(`{"sit":"right"}`)))
	fmt.Println("ann:", <-waited)
	fmt.Println("eve:", eve.Send(ctx, []byte(`{"sit":"left"}`)))

	fmt.Println(ann.Send(ctx, []byte(`{"move":"e4"}`)))
	fmt.Println(bob.Send(ctx, []byte(`{"move":"c5"}`)))
	for told := 0; told < 2; {
		m, err := ann.Receive(ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		if m.Member == nil {
			fmt.Println(string(m.Data))
			told++
		}
	}
	// Output:
	// bob: <nil>
	// ann: <nil>
	// eve: live: message refused (taken): Somebody else plays here.
	// <nil>
	// <nil>
	// "move 1: e4"
	// "move 2: c5"
}
