// Livesite is a site with live sockets, for tests of clients that are not written in Go. It prints its address, and
// ends when its standard input does, so that it never outlives the test that has started it.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/store/mem"
)

// room is the channel that sockets join, and hear each other in.
const room = "room"

func main() {
	sessions, streams := mem.New(nil), memlog.New(nil)
	m, err := session.New(sessions, &session.Config{
		Cookie: session.Cookie{Secure: session.InsecureForDevelopment}, // plain http
	})
	if err != nil {
		log.Fatal(err)
	}
	hub, err := live.New(m, streams, nil)
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(m.Handler(routes(hub)))
	fmt.Println(server.URL)
	io.Copy(io.Discard, os.Stdin)
	hub.Close()
	server.Close()
	m.Close()
	streams.Close(context.Background(), false)
	sessions.Close()
}

func routes(hub *live.Hub) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		session.FromContext(r.Context()).SetOwner("ada")
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		answer(w, session.FromContext(r.Context()).End())
	})
	mux.HandleFunc("POST /send/{socket}", func(w http.ResponseWriter, r *http.Request) { answer(w, send(hub, r)) })
	mux.Handle("/live", hub.Handler(live.Endpoint{
		Message: func(ctx context.Context, s *live.Socket, m live.Message) error { return handle(ctx, hub, s, m) },
	}))
	return mux
}

func answer(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// send sends the body of a request to a socket, whether its client is there or away.
func send(hub *live.Hub, r *http.Request) error {
	id, err := live.ParseID(r.PathValue("socket"))
	if err != nil {
		return err
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	return hub.Send(r.Context(), id, data)
}

// handle sends each message back to its socket and to the room, but for the two that ask for something else.
func handle(ctx context.Context, hub *live.Hub, s *live.Socket, m live.Message) error {
	switch string(m.Data) {
	case `"join"`:
		_, err := hub.Channel(room, nil).Join(ctx, s, "")
		return err
	case `"refuse"`:
		return live.Refuse("rude", "not in here")
	}
	if err := s.Send(ctx, m.Data); err != nil {
		return err
	}
	return hub.Channel(room, nil).Send(ctx, m.Data)
}
