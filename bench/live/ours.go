package live

import (
	"context"
	"io"
	"log/slog"
	"net/http"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/store/mem"
)

// ourSite is a hub on a log in memory. "/start" gives a visitor a session.
func ourSite() (http.Handler, error) {
	logger := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError}))
	value := session.NewKey[int]("value")
	m, err := session.New(mem.New(nil), &session.Config{
		Logger: logger, Cookie: session.Cookie{Name: "session", Secure: session.InsecureForDevelopment},
	})
	if err != nil {
		return nil, err
	}
	hub, err := live.New(m, memlog.New(nil), &live.Config{Logger: logger})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/start", func(w http.ResponseWriter, r *http.Request) { value.Set(r.Context(), 42) })
	mux.Handle("/idle", hub.Handler(live.Endpoint{}))
	mux.Handle("/echo", hub.Handler(live.Endpoint{
		Message: func(ctx context.Context, s *live.Socket, m live.Message) error { return s.Send(ctx, m.Data) },
	}))
	for _, path := range []string{"fan", "queue"} {
		channel := hub.Channel(path, nil)
		mux.Handle("/"+path, hub.Handler(everybody(channel)))
		mux.Handle("/"+path+"/members", members(func(ctx context.Context) (int, error) {
			all, err := channel.Members(ctx)
			return len(all), err
		}))
	}
	return m.Handler(mux), nil
}

// everybody returns an endpoint that sends each message to all of its sockets.
func everybody(c *live.Channel) live.Endpoint {
	return live.Endpoint{
		Open: func(ctx context.Context, s *live.Socket) error {
			_, err := c.Join(ctx, s, "")
			return err
		},
		Message: func(ctx context.Context, _ *live.Socket, m live.Message) error { return c.Send(ctx, m.Data) },
	}
}
