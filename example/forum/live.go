package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/stream"
)

// A liveSite is the part of the forum that pages follow over a live socket: new posts, private rooms, and how many
// people are there. Servers on one database are one site.
type liveSite struct {
	hub   *live.Hub
	crowd *crowd
}

// stayAway is how long a page may be without a connection before it counts as gone, and its seat in a room is free.
const stayAway = time.Minute

func newLiveSite(m *session.Manager, log stream.Log) (*liveSite, error) {
	hub, err := live.New(m, log, &live.Config{Window: stayAway})
	if err != nil {
		return nil, err
	}
	return &liveSite{hub, newCrowd(hub)}, nil
}

// The paths of the sockets.
const (
	liveForumPath  = "/live/forum"
	liveRoomPath   = "/live/room"
	liveInsidePath = "/live/inside"
)

// handlers returns what serves the sockets, by path.
func (l *liveSite) handlers() map[string]http.Handler {
	return map[string]http.Handler{
		liveForumPath: l.hub.Handler(live.Endpoint{
			Open: countResume, Message: live.On(l.watchForum), Member: l.countPeople,
		}),
		liveRoomPath:   l.hub.Handler(live.Endpoint{Open: countResume, Message: live.On(l.useRoom)}),
		liveInsidePath: l.hub.Handler(live.Endpoint{Open: countResume, Message: live.On(l.tellNumbers)}),
	}
}

// resumes counts how often a socket of the session has come back after its connection was lost.
var resumes = session.NewCounter("resumes")

func countResume(ctx context.Context, s *live.Socket) error {
	if !s.Resumed() {
		return nil
	}
	_, err := resumes.Add(ctx, 1)
	return err
}

// leaveTime is how long the pages may take to go to another server before this one stops.
const leaveTime = 2 * time.Second

// drain asks all pages to come back, to another server.
func (l *liveSite) drain(ctx context.Context) {
	if err := l.hub.Drain(ctx, leaveTime); err != nil {
		slog.Warn("forum: live sockets are still open", "error", err)
	}
}

// close closes the sockets that are left.
func (l *liveSite) close() error {
	err := l.hub.Close()
	l.crowd.close()
	return err
}
