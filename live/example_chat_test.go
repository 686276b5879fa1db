package live_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/lazysession/session/live"
)

// A chat: each visitor of the page is a member of one channel, and gets its messages in the same order.
func Example_chat() {
	site := newExampleSite()
	defer site.Close()
	room := site.hub.Channel("room", nil)
	site.mux.Handle("/live", site.hub.Handler(live.Endpoint{
		Open: func(ctx context.Context, s *live.Socket) error {
			_, err := room.Join(ctx, s, "") // a socket that has come back is a member already, which is no error
			return err
		},
		Message: live.On(func(ctx context.Context, s *live.Socket, text string) error {
			if text == "" {
				return live.Refuse("empty", "Please write something.")
			}
			name, err := user.Get(ctx) // of the session that the socket belongs to
			if err != nil {
				return err
			}
			post, err := json.Marshal(map[string]string{"from": name, "text": text})
			if err != nil {
				return err
			}
			return room.Send(ctx, post)
		}),
	}))

	ctx := context.Background()
	ann := site.connect("ann")
	defer ann.Close()
	fmt.Println(ann.Send(ctx, []byte(`"hello"`)))
	bob := site.connect("bob")
	defer bob.Close()
	fmt.Println(bob.Send(ctx, []byte(`"hi, ann"`)))
	fmt.Println(bob.Send(ctx, []byte(`""`)))

	for range 4 {
		printNext("ann", ann)
	}
	for range 2 {
		printNext("bob", bob) // from his joining on
	}
	// Output:
	// <nil>
	// <nil>
	// live: message refused (empty): Please write something.
	// ann: 1 somebody joined room
	// ann: 2 {"from":"ann","text":"hello"}
	// ann: 3 somebody joined room
	// ann: 4 {"from":"bob","text":"hi, ann"}
	// bob: 3 somebody joined room
	// bob: 4 {"from":"bob","text":"hi, ann"}
}
