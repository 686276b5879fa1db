package main

import (
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live"
)

// maxBody limits what a form may send, in bytes. A post of 2000 characters fits, however they are escaped.
const maxBody = 64 << 10

func routes(m *session.Manager, h *health, c *connections, l *liveSite) http.Handler {
	r := chi.NewRouter()
	r.Use(
		c.traffic.count,
		securityHeaders,
		c.rate.limit,
		sameSiteOnly,
		wellFormedOnly,
		limitBody,
		countUsage, // around the sessions, to see what they do
		m.Handler,  // costs the pages that use no session nothing
		middleware.GetHead,
	)
	r.NotFound(page(noSuchPage).ServeHTTP)
	r.MethodNotAllowed(page(wrongMethod).ServeHTTP)

	// A form that was refused leaves its address in the browser. Opened like a page, it leads to the page of the form.
	r.Method("GET", "/", page(listForums))
	r.Method("GET", "/forums/{forum}", page(showForum))
	r.Method("GET", "/forums/{forum}/at-once", page(showAtOnce))
	r.Method("GET", "/forums/{forum}/visit.svg", page(showVisit))
	r.Method("GET", "/forums/{forum}/new", page(newPost))
	r.Method("POST", "/forums/{forum}/posts", page(addPost))
	r.Method("GET", "/forums/{forum}/posts", page(toNewPost))

	r.Method("GET", "/login", page(showLogin))
	r.Method("POST", "/login", page(logIn))
	r.Method("POST", "/logout", page(logOut))
	r.Method("GET", "/logout", goTo("/login"))

	r.Method("GET", "/sessions", page(listDevices))
	r.Method("POST", "/sessions/end", page(endDevice))
	r.Method("GET", "/sessions/end", goTo("/sessions"))
	r.Method("POST", "/sessions/end-others", page(endOtherDevices))
	r.Method("GET", "/sessions/end-others", goTo("/sessions"))

	r.Method("GET", "/inside", page(showInside))

	r.Method("POST", "/rooms", page(beginRoom))
	r.Method("GET", "/rooms", goTo("/"))
	r.Method("GET", "/rooms/{room}", page(showRoom))
	for path, sockets := range l.handlers() {
		r.Method("GET", path, sockets)
	}

	// These use no session.
	r.Get(livePath, h.live)
	r.Get(readyPath, h.ready)
	r.Method("GET", "/about", page(showAbout))
	r.Method("GET", "/connection", page(c.showConnection))
	r.Method("GET", "/static/live.js", live.Client())
	r.Method("GET", "/static/*", http.StripPrefix("/static/", http.HandlerFunc(serveAsset)))
	return r
}

func limitBody(next http.Handler) http.Handler { return http.MaxBytesHandler(next, maxBody) }
