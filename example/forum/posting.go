package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/lazysession/session"
	"github.com/lazysession/session/service"
)

// drafts keeps a text that a visitor sent without being logged in until it is posted. The login renews the token and
// keeps the values of the session, so the draft survives it.
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
		return redirect(w, r, pathOfLogin(forum)+"&notice=to-post")
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
	live, err := service.Query[*liveSite](ctx)
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
	if name == "" {
		if err := keepDraft(r, forum, text); err != nil {
			return err
		}
		return redirect(w, r, pathOfLogin(forum))
	}
	added, err := repo.AddPost(ctx, forum.ID, Post{Author: name, Text: text, Time: time.Now()})
	if err != nil {
		return err
	}
	live.tellOfPost(ctx, forum.ID, added)
	if err := dropDraft(ctx, forum); err != nil {
		// The post is stored, although the session could not be saved. After an error the visitor would post it again.
		session.FromContext(ctx).Degrade()
	}
	return redirect(w, r, "/forums/"+forum.ID)
}

// keepDraft keeps the text of a visitor who has to log in first, and adds a message that says so.
func keepDraft(r *http.Request, f Forum, text string) error {
	why := "Log in to post."
	ended, err := sessionHasEnded(r)
	if err != nil {
		return err
	}
	if ended {
		why = "Your session has ended, so log in again to post."
	}
	ctx := r.Context()
	return errors.Join(
		drafts.Sub(f.ID).Set(ctx, text),
		flash.Add(ctx, warning, why+" What you wrote is kept until then."),
	)
}

// dropDraft deletes the draft of a post that is stored, and adds a message. It commits at once, since its caller needs
// the commit's error.
func dropDraft(ctx context.Context, f Forum) error {
	return errors.Join(
		drafts.Sub(f.ID).Delete(ctx),
		flash.Add(ctx, info, "Your post is up."),
		session.FromContext(ctx).Commit(ctx),
	)
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

// cleanText returns a post's text as it is kept; wrong says why a text is refused, and is empty for a valid one.
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
