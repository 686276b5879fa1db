package main

import (
	"bytes"
	"net/http"
	"strconv"

	"github.com/lazysession/session"
)

// A page answers a request; if it returns an error, that becomes a page too.
type page func(w http.ResponseWriter, r *http.Request) error

func (p page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := p(w, r); err != nil {
		answerError(w, r, err, errorView)
	}
}

// A view is what every page shows around its own data.
type view struct {
	Title    string
	Path     string
	Personal bool   // the session was asked
	User     string // who is logged in; empty: nobody
	Messages []string
	Usage    *usage
	Site     site
	Data     any

	request *http.Request
}

// plainView is a view of a page that uses no session, and so can't say who is logged in.
func plainView(r *http.Request, title string) *view {
	return &view{Title: title, Path: r.URL.Path, Usage: usageOf(r.Context()), Site: siteOf(r.Context()), request: r}
}

// openView reads who is logged in and takes the messages that wait for them. Call it when the page is sure to be shown,
// so that no message gets lost with an error.
func openView(r *http.Request, title string) (v *view, err error) {
	v = plainView(r, title)
	v.Personal = true
	if v.User, err = user.Get(r.Context()); err != nil {
		return nil, err
	}
	if v.Messages, err = takeFlash(r.Context()); err != nil {
		return nil, err
	}
	ended, err := sessionHasEnded(r)
	if err != nil {
		return nil, err
	}
	if ended {
		v.Messages = append(v.Messages, whyEnded(v.Site))
	}
	if notice, ok := notices[r.URL.Query().Get("notice")]; ok {
		v.Messages = append(v.Messages, notice)
	}
	return v, nil
}

// show answers with the page. It commits first: the response would do so anyway, but the page is to tell of it.
func (v *view) show(w http.ResponseWriter, status int, name string, data any) error {
	ctx := v.request.Context()
	if err := session.FromContext(ctx).Commit(ctx); err != nil {
		return err
	}
	// Nothing is kept, so that who goes back after somebody has logged out sees no page of theirs.
	w.Header().Set("Cache-Control", "no-store")
	return v.write(w, status, name, data)
}

// write renders the page before anything is sent, so that an error can still become a page of its own.
func (v *view) write(w http.ResponseWriter, status int, name string, data any) error {
	v.Data = data
	var buf bytes.Buffer
	if err := templates[name].ExecuteTemplate(&buf, "layout", v); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(buf.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(buf.Bytes()) // a visitor who went away is no error
	return nil
}

// goTo is a page that is found at another address.
func goTo(path string) page {
	return func(w http.ResponseWriter, r *http.Request) error { return redirect(w, r, path) }
}

// redirect sends the browser on after a form, so that reloading the next page sends nothing again (303, RFC 9110,
// section 15.4.4).
func redirect(w http.ResponseWriter, r *http.Request, to string) error {
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}
