package main

import (
	"net/http"
	"strings"
	"testing"
)

// A stop asks the pages to come back to another server. It doesn't wait for connections to end by themselves.
func TestStopEndsLiveSockets(t *testing.T) {
	address, stop, done := runForum(t)
	b := openBrowser(t, strings.TrimSuffix(address, "/"))
	b.client.Transport = &http.Transport{}
	defer b.client.CloseIdleConnections()
	b.get("/forums/go")
	page, room := b.follow(liveForumPath), b.follow(liveRoomPath)
	page.mustSend(watch{Forum: "go"})
	entered := make(chan error, 1)
	go func() { entered <- room.send(roomCall{Room: strings.Repeat("a", 26)}) }()
	room.wantSeat("left")

	stop()
	if err := <-done; err != nil {
		t.Error("run:", err)
	}
	// The sockets are not at their end: they look for a server.
	for _, f := range []*follower{page, room} {
		f.conn.Close()
		if code := f.ended(); code != 1000 {
			t.Errorf("the stop ended a socket with %d", code)
		}
	}
	if err := <-entered; err == nil {
		t.Error("it is in the room, though nobody else has come")
	}
}
