package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/lazysession/session"
)

// A problem is an error that a visitor is told of.
type problem struct {
	Status int
	Title  string
	Text   string
	Again  string // the address to try again; empty where another try won't help
}

func (p problem) Error() string { return p.Title + " " + p.Text }

// passes reports whether the next try may succeed.
func (p problem) passes() bool {
	switch p.Status {
	case http.StatusConflict, http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return true
	}
	return false
}

func badRequest(text string) error {
	return problem{Status: http.StatusBadRequest, Title: "That didn't work", Text: text}
}

func noSuchPage(http.ResponseWriter, *http.Request) error {
	return problem{Status: http.StatusNotFound, Title: "Nothing here", Text: "There is no page at this address."}
}

// wrongMethod also says which methods are right (RFC 9110, section 15.5.6).
func wrongMethod(w http.ResponseWriter, r *http.Request) error {
	routes := chi.RouteContext(r.Context()).Routes
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if routes.Match(chi.NewRouteContext(), method, r.URL.Path) {
			w.Header().Add("Allow", method)
		}
	}
	return problem{Status: http.StatusMethodNotAllowed, Title: "Not like this",
		Text: "This address can't be used this way."}
}

func crossSite(http.ResponseWriter, *http.Request) error {
	return problem{Status: http.StatusForbidden, Title: "Not from here",
		Text: "Another site sent this form in your name. Nothing was changed."}
}

// problemOf returns what a visitor is told of an error, and sets the headers that belong to it. Errors that the visitor
// did not cause are not explained.
func problemOf(w http.ResponseWriter, r *http.Request, err error) problem {
	var told problem
	var tooMuch *http.MaxBytesError
	switch {
	case errors.As(err, &told):
		return told
	case errors.Is(err, errNoForum):
		return problem{Status: http.StatusNotFound, Title: "Nothing here", Text: "There is no such forum."}
	case errors.Is(err, errNoDevice):
		return problem{Status: http.StatusNotFound, Title: "Nothing here",
			Text: "You have no such session. It may have ended already."}
	case errors.As(err, &tooMuch):
		return tooLarge
	case errors.Is(err, errNoPosts):
		return postsAreAway(w, r, err)
	}
	return sessionProblem(w, r, err)
}

var tooLarge = problem{Status: http.StatusRequestEntityTooLarge, Title: "Too much",
	Text: "That is more than fits. Nothing was saved."}

func postsAreAway(w http.ResponseWriter, r *http.Request, err error) problem {
	slog.Error("forum: posts can't be reached", "method", r.Method, "path", r.URL.Path, "error", err)
	w.Header().Set("Retry-After", "2")
	return problem{Status: http.StatusServiceUnavailable, Title: "Back in a moment",
		Text: "Posts can't be reached just now, and it is not certain that anything was saved."}
}

// sessionProblem leaves the status, the headers and the log to session.Error. Only the words are the forum's own.
func sessionProblem(w http.ResponseWriter, r *http.Request, err error) problem {
	h := &head{ResponseWriter: w}
	session.Error(h, r, err)
	switch h.status {
	case http.StatusRequestEntityTooLarge:
		return tooLarge
	case http.StatusConflict:
		return problem{Status: h.status, Title: "Your session has moved on",
			Text: "It ended or changed while this page was being made, in another tab perhaps. Nothing was saved."}
	case http.StatusServiceUnavailable:
		return problem{Status: h.status, Title: "Back in a moment",
			Text: "Sessions can't be reached just now, and it is not certain that anything was saved."}
	}
	return problem{Status: h.status, Title: "Something broke", Text: "It is not your fault, and it was noted."}
}

// A head keeps the status of a response, passes its headers on, and drops its body.
type head struct {
	http.ResponseWriter
	status int
}

func (h *head) WriteHeader(status int) { h.status = status }

func (h *head) Write(b []byte) (int, error) { return len(b), nil }

// showError answers with an error page that uses no session, since the session may be what is broken. The Manager calls
// it for a response that it threw away (Config.OnError).
func showError(w http.ResponseWriter, r *http.Request, err error) {
	answerError(w, r, err, func(r *http.Request, told problem) *view { return plainView(r, told.Title) })
}

// errorView also shows the visitor's name, unless the session or the server has the problem.
func errorView(r *http.Request, told problem) *view {
	v := plainView(r, told.Title)
	if told.Status == http.StatusConflict || told.Status >= http.StatusInternalServerError {
		return v
	}
	if name, err := user.Get(r.Context()); err == nil {
		v.User, v.Personal = name, true
	}
	return v
}

func answerError(w http.ResponseWriter, r *http.Request, err error, viewOf func(*http.Request, problem) *view) {
	told := problemOf(w, r, err)
	if r.Method == http.MethodGet && told.passes() {
		told.Again = r.URL.Path
	}
	w.Header().Set("Cache-Control", "no-store")
	if wantsJSON(r) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(told.Status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": told.Text})
		return
	}
	if err := viewOf(r, told).write(w, told.Status, "error", told); err != nil {
		slog.Error("forum: showing an error", "error", err)
		http.Error(w, told.Text, told.Status)
	}
}

func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

// parseForm reads the form of a POST.
func parseForm(r *http.Request) error {
	err := r.ParseForm()
	var tooMuch *http.MaxBytesError
	switch {
	case errors.As(err, &tooMuch):
		return err
	case err != nil, !areWellFormed(r.PostForm):
		return badRequest("The form could not be read.")
	}
	return nil
}
