package main

import (
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/lazysession/session"
)

// drafts keeps what somebody wrote before being logged in, or after the session had expired, until it is posted: what
// is written is not lost, and the login with its new token keeps the values of the session.
var drafts = session.NewKey[string]("draft")

type postView struct {
	Forum Forum
	Text  string
	Error string
	Max   int
}

func newPost(w http.ResponseWriter, r *http.Request) error {
	_, forum, err := forumOf(r)
	if err != nil {
		return err
	}
	name, err := user.Get(r.Context())
	if err != nil {
		return err
	}
	if name == "" {
		return askToLogIn(w, r, forum, "to-post")
	}
	draft, err := drafts.Sub(forum.ID).Get(r.Context())
	if err != nil {
		return err
	}
	return showPostForm(w, r, http.StatusOK, postView{Forum: forum, Text: draft})
}

func toNewPost(w http.ResponseWriter, r *http.Request) error {
	_, forum, err := forumOf(r)
	if err != nil {
		return err
	}
	return redirect(w, r, "/forums/"+forum.ID+"/new")
}

func addPost(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	repo, forum, err := forumOf(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	text, wrong := cleanText(r.PostForm.Get("text"))
	if wrong != "" {
		return showPostForm(w, r, http.StatusUnprocessableEntity, postView{Forum: forum, Text: text, Error: wrong})
	}
	name, err := user.Get(ctx)
	if err != nil {
		return err
	}
	draft := drafts.Sub(forum.ID)
	if name == "" {
		notice, err := whyLogIn(r)
		if err != nil {
			return err
		}
		if err := draft.Set(ctx, text); err != nil {
			return err
		}
		return askToLogIn(w, r, forum, notice)
	}
	if _, err := repo.AddPost(ctx, forum.ID, Post{Author: name, Text: text, Time: time.Now()}); err != nil {
		return err
	}
	if err := draft.Delete(ctx); err != nil {
		return err
	}
	if err := addFlash(ctx, "Your post is up."); err != nil {
		return err
	}
	return redirect(w, r, "/forums/"+forum.ID)
}

// whyLogIn returns the notice for somebody whose post has to wait.
func whyLogIn(r *http.Request) (notice string, err error) {
	ended, err := sessionHasEnded(r)
	if ended {
		return "ended", err
	}
	return "draft-kept", err
}

func showPostForm(w http.ResponseWriter, r *http.Request, status int, data postView) error {
	v, err := openView(r, "New post in "+data.Forum.Name)
	if err != nil {
		return err
	}
	data.Max = maxText
	return v.show(w, status, "new", data)
}

// maxText is the longest post, in characters.
const maxText = 2000

// cleanText returns a post's text as it is kept, and what is wrong with it, if anything is.
func cleanText(text string) (clean, wrong string) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return text, "Write something first."
	case utf8.RuneCountInString(text) > maxText:
		return text, "That is too long: a post has up to 2000 characters."
	case strings.ContainsFunc(text, isForbidden):
		return text, "There are control characters in it, which can't be shown."
	}
	return text, ""
}

func isForbidden(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
