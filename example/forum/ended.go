package main

import (
	"net/http"
	"slices"

	"github.com/lazysession/session"
)

// isOurs reports whether a request's cookie is that of the session: it has one name over TLS and another without.
func isOurs(r *http.Request, c *http.Cookie) bool {
	overTLS := r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" // in good faith: no harm can be done with it
	return c.Name == "__Host-session" || c.Name == "session" && !overTLS
}

// sessionHasEnded reports whether the visitor's cookie is that of a session which is no more. A logout removes the
// cookie, so this one has ended in another way. Ask before anything begins a new session.
func sessionHasEnded(r *http.Request) (bool, error) {
	if !slices.ContainsFunc(r.Cookies(), func(c *http.Cookie) bool { return isOurs(r, c) }) {
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
