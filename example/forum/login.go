package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/lazysession/session"
	"github.com/lazysession/session/service"
)

// user is the name of the logged-in user.
var user = session.NewKey[string]("user")

// rememberFor is how long "remember me" remembers.
const rememberFor = 30 * 24 * time.Hour

type loginView struct {
	Forum string // where to go on afterwards; empty: to the forums
	Name  string
	Error string
}

func showLogin(w http.ResponseWriter, r *http.Request) error {
	return showLoginForm(w, r, http.StatusOK, loginView{Forum: r.URL.Query().Get("forum")})
}

func showLoginForm(w http.ResponseWriter, r *http.Request, status int, data loginView) error {
	v, err := openView(r, "Log in")
	if err != nil {
		return err
	}
	return v.show(w, status, "login", data)
}

// pathOfLogin is the address of a login that comes back to a forum afterwards.
func pathOfLogin(f Forum) string { return "/login?forum=" + url.QueryEscape(f.ID) }

func logIn(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if err := parseForm(r); err != nil {
		return err
	}
	name, wrong := cleanName(r.PostForm.Get("name"))
	if wrong != "" {
		data := loginView{Forum: r.PostForm.Get("forum"), Name: name, Error: wrong}
		return showLoginForm(w, r, http.StatusUnprocessableEntity, data)
	}
	to, err := afterLogin(ctx, r.PostForm.Get("forum"))
	if err != nil {
		return err
	}
	already, err := user.Get(ctx)
	if err != nil {
		return err
	}
	if already != "" {
		// The values of this session belong to one user. Another user must not get them.
		message := "You are logged in as " + already + ". Log out first to use another name."
		if err := flash.Add(ctx, warning, message); err != nil {
			return err
		}
		return redirect(w, r, to)
	}
	if err := beginLogin(ctx, name, deviceName(r.UserAgent()), r.PostForm.Get("remember") != ""); err != nil {
		return err
	}
	if err := flash.Add(ctx, info, "Welcome, "+name+"."); err != nil {
		return err
	}
	return redirect(w, r, to)
}

// beginLogin makes this the session of a user.
func beginLogin(ctx context.Context, name, device string, remember bool) error {
	s := session.FromContext(ctx)
	// An attacker may have planted or seen the token of before the login. A new token makes that one useless.
	if err := s.Renew(); err != nil {
		return err
	}
	err := errors.Join(
		user.Set(ctx, name),
		s.SetOwner(name), // puts it into the list of this owner's sessions
		s.SetLabel("device", device),
	)
	if remember {
		err = errors.Join(err, s.Remember(rememberFor))
	}
	return err
}

// logOut ends the session. The message waits in a new session, which has no owner.
func logOut(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if err := session.FromContext(ctx).End(); err != nil {
		return err
	}
	if err := flash.Add(ctx, info, "You have logged out. See you soon."); err != nil {
		return err
	}
	return redirect(w, r, "/")
}

// afterLogin returns the address of the next page: a new post for a visitor who came from a forum, else the forums. The
// address is made from the forum's ID and never taken from the form, so it can't lead to another site.
func afterLogin(ctx context.Context, forum string) (string, error) {
	if forum == "" {
		return "/", nil
	}
	repo, err := service.Query[repository](ctx)
	if err != nil {
		return "", err
	}
	f, err := repo.Forum(ctx, forum)
	if err != nil {
		return "", err
	}
	return "/forums/" + f.ID + "/new", nil
}

// maxName is the longest name, in characters.
const maxName = 40

// cleanName returns a name as it is kept; wrong says why a name is refused, and is empty for a valid one.
func cleanName(name string) (clean, wrong string) {
	name = strings.TrimSpace(strings.ToValidUTF8(name, "\uFFFD"))
	switch {
	case name == "":
		return name, "Enter a name."
	case utf8.RuneCountInString(name) > maxName:
		return name, "That is too long: a name has up to 40 characters."
	case strings.ContainsFunc(name, notPrintable):
		return name, "There are characters in it that can't be shown."
	}
	return name, ""
}

func notPrintable(r rune) bool { return !unicode.IsPrint(r) }
