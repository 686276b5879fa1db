package main

import (
	"net/http"
	"slices"

	"github.com/lazysession/session"
)

// isOurs reports whether a cookie is the session cookie, which has one name over TLS and another over plain http.
func isOurs(r *http.Request, c *http.Cookie) bool {
	overTLS := r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" // unverified: a lie only changes a message
	return c.Name == "__Host-session" || c.Name == "session" && !overTLS
}

// sessionHasEnded reports whether the visitor has the cookie of an ended session. A logout removes the cookie, so the
// session has ended in another way. Call it before anything begins a new session.
func sessionHasEnded(r *http.Request) (bool, error) {
	if !slices.ContainsFunc(r.Cookies(), func(c *http.Cookie) bool { return isOurs(r, c) }) {
		return false, nil
	}
	exists, err := session.FromContext(r.Context()).Exists()
	return !exists, err
}

// whyEnded lists the possible reasons. The store keeps neither an ended session nor the reason.
func whyEnded(s site) string {
	why := "Your session has ended. It was ended on another device, or was not used for too long"
	if !s.Database {
		why += ", or this server was started anew"
	}
	return why + "."
}
