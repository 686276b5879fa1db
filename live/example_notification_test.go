package live_test

import (
	"context"
	"fmt"

	"github.com/lazysession/session/live"
)

// A job tells a user something, on whichever pages and nodes the user is. Each page of the user joins a channel that is
// named after the user; a message to a channel without members goes nowhere.
func Example_notifications() {
	site := newExampleSite()
	defer site.Close()
	notifications := func(name string) *live.Channel { return site.hub.Channel("user/"+name, nil) }
	site.mux.Handle("/live", site.hub.Handler(live.Endpoint{
		Open: func(ctx context.Context, s *live.Socket) error {
			name, err := user.Get(ctx)
			if err != nil {
				return err
			}
			_, err = notifications(name).Join(ctx, s, "")
			return err
		},
	}))
	job := func(ctx context.Context, name string) error {
		return notifications(name).Send(ctx, []byte(`{"text":"Your export is ready."}`))
	}

	phone, laptop := site.connect("ann"), site.connect("ann")
	defer phone.Close()
	defer laptop.Close()
	for range 2 { // both have joined
		phone.Receive(context.Background())
	}
	fmt.Println(job(context.Background(), "ann"))
	fmt.Println(job(context.Background(), "bob")) // is on no page
	printNext("phone", phone)
	for m, err := laptop.Receive(context.Background()); ; m, err = laptop.Receive(context.Background()) {
		if err != nil || m.Member == nil {
			fmt.Printf("laptop: %s %v\n", m.Data, err)
			break
		}
	}
	// Output:
	// <nil>
	// <nil>
	// phone: 3 {"text":"Your export is ready."}
	// laptop: {"text":"Your export is ready."} <nil>
}
