package main

import (
	"encoding/json"
	"net/http"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live"
	"github.com/lazysession/session/service"
)

type insideView struct {
	Exists  bool
	Info    session.Info
	Values  map[string]json.RawMessage
	Sockets []live.Info
}

// showInside shows the values and times of the session. The token is not among them.
func showInside(w http.ResponseWriter, r *http.Request) error {
	v, err := openView(r, "Inside")
	if err != nil {
		return err
	}
	s := session.FromContext(r.Context())
	var data insideView
	if data.Exists, err = s.Exists(); err != nil {
		return err
	}
	if data.Info, err = s.Info(); err != nil {
		return err
	}
	if data.Values, err = s.Values(); err != nil {
		return err
	}
	sockets, err := service.Query[*liveSite](r.Context())
	if err != nil {
		return err
	}
	if data.Sockets, err = sockets.socketsOf(r.Context(), data.Info.ID); err != nil {
		return err
	}
	if data.Exists {
		v.Script = "inside.js"
	}
	return v.show(w, http.StatusOK, "inside", data)
}

// showAbout uses no session, so it makes no store call, and caches may keep the page.
func showAbout(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "public, max-age=60")
	v := plainView(r, "About")
	return v.write(w, http.StatusOK, "about", nil)
}
