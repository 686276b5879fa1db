package live_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/lazysession/session/live"
)

// A Go program takes part in a chat. client has the cookie of a session.
func ExampleDial() {
	chat := func(ctx context.Context, client *http.Client) error {
		c, err := live.Dial(ctx, "wss://forum.example/live", &live.DialOptions{HTTPClient: client})
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.Send(ctx, []byte(`{"text":"hello"}`)); err != nil {
			return err // it was refused, or the session has ended
		}
		for {
			m, err := c.Receive(ctx)
			if gap, ok := errors.AsType[*live.GapError](err); ok {
				fmt.Println("load the messages of", gap.Stream, "again")
				continue
			}
			if err != nil {
				return err
			}
			fmt.Println(m.Stream, m.Number, string(m.Data))
		}
	}
	_ = chat
}
