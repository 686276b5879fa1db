package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"

	"github.com/lazysession/session/live"
	"github.com/lazysession/session/service"
)

// news is what the pages of a forum get to know. They show each post once, however often they are told of it.
type news struct {
	Post   *livePost `json:"post,omitempty"`
	People int       `json:"people,omitempty"` // how many are here
	Again  bool      `json:"again,omitempty"`  // the page is too old: it has to be loaded again
}

// A livePost has what the template of a post needs of it.
type livePost struct {
	ID      int64  `json:"id"`
	Author  string `json:"author"`
	Initial string `json:"initial"`
	Hue     uint32 `json:"hue"`
	Text    string `json:"text"`
	Time    string `json:"time"`  // for machines
	Exact   string `json:"exact"` // for people
	Ago     string `json:"ago"`
}

func newsOf(p Post) (data []byte, err error) {
	return json.Marshal(news{Post: &livePost{
		ID: p.ID, Author: p.Author, Initial: initial(p.Author), Hue: hue(p.Author), Text: p.Text,
		Time: machineTime(p.Time), Exact: exactTime(p.Time), Ago: ago(p.Time),
	}})
}

func (l *liveSite) forum(id string) *live.Channel { return l.hub.Channel("forum/"+id, nil) }

// tellOfPost sends a new post to the pages of its forum. The post is up, so a failure is logged and no more.
func (l *liveSite) tellOfPost(ctx context.Context, forum string, p Post) {
	data, err := newsOf(p)
	if err == nil {
		err = l.forum(forum).Send(ctx, data)
	}
	if err != nil {
		slog.Error("forum: telling of a post", "forum", forum, "error", err)
	}
}

// A watch is what a page sends when it begins to follow a forum, and when it has missed something.
type watch struct {
	Forum string `json:"forum"`
	After int64  `json:"after"` // the newest post that the page has
}

// watchForum lets a page follow a forum, and sends the posts that it lacks. It joins first and reads then, so that no
// post is in neither.
func (l *liveSite) watchForum(ctx context.Context, s *live.Socket, w watch) error {
	repo, err := service.Query[repository](ctx)
	if err != nil {
		return err
	}
	switch _, err := repo.Forum(ctx, w.Forum); {
	case errors.Is(err, errNoForum):
		return live.Refuse("forum", "There is no such forum.")
	case err != nil:
		return err
	}
	if _, err := l.forum(w.Forum).Join(ctx, s, ""); err != nil {
		return err
	}
	posts, err := repo.Posts(ctx, w.Forum, 0, postsPerPage)
	if err != nil {
		return err
	}
	l.crowd.recount(l.forum(w.Forum))
	return sendLacking(ctx, s, posts, w.After)
}

func sendLacking(ctx context.Context, s *live.Socket, newest []Post, after int64) error {
	lacking := slices.DeleteFunc(newest, func(p Post) bool { return p.ID <= after })
	if len(lacking) == postsPerPage { // and there may be more
		return s.Send(ctx, []byte(`{"again":true}`))
	}
	for _, p := range slices.Backward(lacking) {
		data, err := newsOf(p)
		if err != nil {
			return err
		}
		if err := s.Send(ctx, data); err != nil {
			return err
		}
	}
	return nil
}

// countPeople is called on each change for each page of this server. The crowd counts once for many of them.
func (l *liveSite) countPeople(_ context.Context, mb *live.Member, _ live.MemberEvent) {
	l.crowd.recount(mb.Channel())
}
