package live_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/lazysession/session/live"
)

// A Go program as the client of a server that sends back what it gets. Its http.Client has the cookie of a session.
func ExampleDial() {
	site := newExampleSite()
	defer site.Close()
	site.mux.Handle("/live", site.hub.Handler(live.Endpoint{
		Message: live.On(func(ctx context.Context, s *live.Socket, text string) error {
			if text == "" {
				return live.Refuse("empty", "Please write something.")
			}
			return s.Send(ctx, fmt.Appendf(nil, "%q", text))
		}),
	}))
	url, client, ctx := site.server.URL+"/live", site.login("ann"), context.Background()

	c, err := live.Dial(ctx, url, &live.DialOptions{HTTPClient: client})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	for _, text := range []string{"hello", ""} {
		err := c.Send(ctx, fmt.Appendf(nil, "%q", text)) // returns when the server has handled it
		if refused, ok := errors.AsType[*live.SendError](err); ok {
			fmt.Println("refused:", refused.Text)
		} else if err != nil {
			fmt.Println(err) // the session has ended, say
			return
		}
	}
	m, err := c.Receive(ctx)
	if gap, ok := errors.AsType[*live.GapError](err); ok {
		fmt.Println("load what belongs to", gap.Stream, "again, and go on to receive")
	} else if err == nil {
		fmt.Println(m.Number, string(m.Data))
	}
	// Output:
	// refused: Please write something.
	// 1 "hello"
}
