package main

import (
	"context"
	"crypto/rand"
	"net/http"
	"regexp"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/lazysession/session"
)

// roomVisits counts the rooms that somebody has opened. A live socket needs a session, and this begins one.
var roomVisits = session.NewCounter("rooms")

// beginRoom makes the address of a new room. The room itself begins with the first page that is open there, and ends
// with the last. The address is the key: it can't be guessed.
func beginRoom(w http.ResponseWriter, r *http.Request) error {
	return redirect(w, r, "/rooms/"+strings.ToLower(rand.Text()))
}

var roomPattern = regexp.MustCompile(`^[a-z2-7]{26}$`)

func isRoom(id string) bool { return roomPattern.MatchString(id) }

type roomView struct {
	ID  string
	Max int // characters of one message
}

func showRoom(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "room")
	if !isRoom(id) {
		return noSuchPage(w, r)
	}
	v, err := openView(r, "A private room")
	if err != nil {
		return err
	}
	if _, err := roomVisits.Next(r.Context()); err != nil {
		return err
	}
	v.Script = "room.js"
	return v.show(w, http.StatusOK, "room", roomView{id, maxText})
}

// nameOf returns what somebody is called in a room: by the name they logged in with, if they did.
func nameOf(ctx context.Context) (string, error) {
	name, err := user.Get(ctx)
	if name == "" {
		name = "A guest"
	}
	return name, err
}
