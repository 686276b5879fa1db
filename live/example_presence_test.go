package live_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/lazysession/session/live"
)

// "2 people here": a page gets the list of the members once, and then follows the events of the channel. A page that
// was told of a gap asks for the list again.
func Example_presence() {
	site := newExampleSite()
	defer site.Close()
	lobby := site.hub.Channel("lobby", nil)
	site.mux.Handle("/live", site.hub.Handler(live.Endpoint{
		Open: func(ctx context.Context, s *live.Socket) error {
			_, err := lobby.Join(ctx, s, "")
			return err
		},
		Message: live.On(func(ctx context.Context, s *live.Socket, what string) error {
			members, err := lobby.Members(ctx)
			if err != nil {
				return err
			}
			var ids []live.ID
			for _, m := range members {
				ids = append(ids, m.Socket)
			}
			list, err := json.Marshal(ids)
			if err != nil {
				return err
			}
			return s.Send(ctx, list)
		}),
	}))

	ctx := context.Background()
	ann := site.connect("ann")
	defer ann.Close()
	if err := ann.Send(ctx, []byte(`"who is here?"`)); err != nil {
		fmt.Println(err)
		return
	}
	here := map[live.ID]bool{}
	follow := func(people int) { // until so many are here
		for len(here) != people {
			m, err := ann.Receive(ctx)
			switch {
			case err != nil:
				fmt.Println(err)
				return
			case m.Member == nil: // the list
				var ids []live.ID
				if err := json.Unmarshal(m.Data, &ids); err != nil {
					fmt.Println(err)
					return
				}
				for _, id := range ids {
					here[id] = true
				}
			case m.Member.Event == live.Joined:
				here[m.Member.Socket] = true
			case m.Member.Event == live.Left:
				delete(here, m.Member.Socket)
			}
		}
		fmt.Println(len(here), "here")
	}
	follow(1)
	bob := site.connect("bob")
	follow(2)
	bob.Close()
	follow(1)
	// Output:
	// 1 here
	// 2 here
	// 1 here
}
