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

	ctx := context.Background()
	phone := site.connect("ann")
	defer phone.Close()
	printNext("phone", phone)
	laptop := site.connect("ann")
	defer laptop.Close()
	printNext("laptop", laptop)

	fmt.Println(job(ctx, "ann"))
	fmt.Println(job(ctx, "bob")) // is on no page
	for range 2 {
		printNext("phone", phone)
	}
	printNext("laptop", laptop)
	// Output:
	// phone: 1 somebody joined user/ann
	// laptop: 2 somebody joined user/ann
	// <nil>
	// <nil>
	// phone: 2 somebody joined user/ann
	// phone: 3 {"text":"Your export is ready."}
	// laptop: 3 {"text":"Your export is ready."}
}
