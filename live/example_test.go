package live_test

import (
	"context"
	"fmt"

	"github.com/lazysession/session/live"
)

// A page's socket: what one visitor sends, all of them get.
func Example() {
	site := newExampleSite()
	defer site.Close()
	hub, mux := site.hub, site.mux

	room := hub.Channel("room", nil)
	mux.Handle("/live", hub.Handler(live.Endpoint{
		Open: func(ctx context.Context, s *live.Socket) error {
			_, err := room.Join(ctx, s, "")
			return err
		},
		Message: func(ctx context.Context, s *live.Socket, m live.Message) error {
			return room.Send(ctx, m.Data)
		},
	}))
	mux.Handle("/live.js", live.Client())

	ann := site.connect("ann")
	defer ann.Close()
	fmt.Println(ann.Send(context.Background(), []byte(`"hello"`)))
	for range 2 {
		printNext("ann", ann)
	}
	// Output:
	// <nil>
	// ann: 1 somebody joined room
	// ann: 2 "hello"
}
