package main

import (
	"net/http"
	"slices"

	"github.com/lazysession/session"
)

// cookieNames are the defaults of session.Cookie, with TLS and without.
var cookieNames = []string{"__Host-session", "session"}

// sessionHasEnded reports whether the visitor's cookie is that of a session which is no more. A logout removes the
// cookie, so this one has ended in another way. Ask before anything begins a new session.
func sessionHasEnded(r *http.Request) (bool, error) {
	ours := func(c *http.Cookie) bool { return slices.Contains(cookieNames, c.Name) }
	if !slices.ContainsFunc(r.Cookies(), ours) {
		return false, nil
	}
	exists, err := session.FromContext(r.Context()).Exists()
	return !exists, err
}

// whyEnded says what may have happened. What has ended is gone, and with it the reason.
func whyEnded(s site) string {
	why := "Your session has ended. It was ended on another device, or was not used for too long"
	if !s.Database {
		why += ", or this server was started anew"
	}
	return why + "."
}
