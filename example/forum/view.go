package main

import (
	"bytes"
	"errors"
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
	Personal bool   // the session was read
	User     string // the name of the logged-in user; empty: none
	Messages []session.FlashMessage
	Degraded bool // the session can't be reached, and the page says so
	Usage    *usage
	Site     site
	Script   string // a file in static that the page loads; empty: none
	Data     any

	request *http.Request
}

// plainView is a view of a page that uses no session, so it has no User.
func plainView(r *http.Request, title string) *view {
	return &view{Title: title, Path: r.URL.Path, Usage: usageOf(r.Context()), Site: siteOf(r.Context()), request: r}
}

// openView reads the user's name and takes the waiting messages from the session. Call it after everything that can
// fail, so that an error doesn't lose a message.
func openView(r *http.Request, title string) (v *view, err error) {
	v = plainView(r, title)
	v.Personal = true
	if v.User, err = user.Get(r.Context()); err != nil {
		return nil, err
	}
	if v.Messages, err = flash.Take(r.Context()); err != nil {
		return nil, err
	}
	ended, err := sessionHasEnded(r)
	if err != nil {
		return nil, err
	}
	if ended {
		v.say(warning, whyEnded(v.Site))
	}
	if notice, ok := notices[r.URL.Query().Get("notice")]; ok {
		v.say(warning, notice)
	}
	return v, nil
}

func (v *view) say(kind, text string) {
	v.Messages = append(v.Messages, session.FlashMessage{Kind: kind, Text: text})
}

// openReadingView is openView for a page that is useful without the session.
func openReadingView(r *http.Request, title string) (*view, error) {
	v, err := openView(r, title)
	if err == nil {
		return v, nil
	}
	v = plainView(r, title)
	return v, v.goOnWithout(err)
}

// goOnWithout returns nil for a session that can't be reached, and adds a message that says so to the page. It returns
// any other error.
func (v *view) goOnWithout(err error) error {
	if !errors.Is(err, session.ErrUnavailable) {
		return err
	}
	session.FromContext(v.request.Context()).Degrade() // without it the Manager would refuse the response
	if !v.Degraded {
		v.Degraded = true
		v.say(warning, "Sessions can’t be reached just now. You can read on, but no visit is counted, and you can’t post.")
	}
	return nil
}

// show answers with the page. It commits first, so that the page's count of store calls includes the commit.
func (v *view) show(w http.ResponseWriter, status int, name string, data any) error {
	if !v.Degraded {
		ctx := v.request.Context()
		if err := session.FromContext(ctx).Commit(ctx); err != nil {
			return err
		}
	}
	// The browser keeps no copy, so that its back button shows no private page after a logout.
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
	_, _ = w.Write(buf.Bytes()) // fails only for a client that has gone
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
