package main

import (
	"context"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/lazysession/session"
	"github.com/lazysession/session/service"
)

// hits counts visits, for each forum under a name of its own: "hits/lobby".
var hits = session.NewCounter("hits")

// countVisit counts a visit and returns its number. Next commits before it returns, so two tabs that load at once get
// two numbers. That costs nothing extra: the response has nothing left to commit.
func countVisit(ctx context.Context, forum string) (int64, error) { return hits.Sub(forum).Next(ctx) }

// A visitedForum is a forum in the list, with the visits that this session has counted.
type visitedForum struct {
	Forum
	Visits int64
}

// listForums reads the session and writes nothing, so a visitor without a session gets none.
func listForums(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	repo, err := service.Query[repository](ctx)
	if err != nil {
		return err
	}
	forums, err := repo.Forums(ctx)
	if err != nil {
		return err
	}
	v, err := openReadingView(r, "Forums")
	if err != nil {
		return err
	}
	list := make([]visitedForum, len(forums))
	for i, f := range forums {
		visits, err := hits.Sub(f.ID).Get(ctx)
		if err != nil && !v.Degraded {
			return err
		}
		list[i] = visitedForum{f, visits}
	}
	return v.show(w, http.StatusOK, "forums", list)
}

// postsPerPage is how many posts are shown at once.
const postsPerPage = 50

type forumView struct {
	Forum  Forum
	Visits int // 0: this visit could not be counted
	Posts  []Post
	Blank  Post  // for the page's script to fill
	Older  int64 // shows posts before this one; 0: there are none
}

func showForum(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	repo, forum, err := forumOf(r)
	if err != nil {
		return err
	}
	before, err := beforeOf(r)
	if err != nil {
		return err
	}
	posts, err := repo.Posts(ctx, forum.ID, before, postsPerPage+1)
	if err != nil {
		return err
	}
	v, err := openReadingView(r, forum.Name)
	if err != nil {
		return err
	}
	visits, err := countVisit(ctx, forum.ID)
	if err := v.goOnWithout(err); err != nil {
		return err
	}
	if before == 0 && !v.Degraded {
		v.Script = "forum.js"
	}
	posts, older := cutPage(posts)
	return v.show(w, http.StatusOK, "forum", forumView{Forum: forum, Visits: int(visits), Posts: posts, Older: older})
}

// forumOf returns the repository and the forum that the URL names.
func forumOf(r *http.Request) (repository, Forum, error) {
	repo, err := service.Query[repository](r.Context())
	if err != nil {
		return nil, Forum{}, err
	}
	forum, err := repo.Forum(r.Context(), chi.URLParam(r, "forum"))
	return repo, forum, err
}

// beforeOf returns the post before which the page begins; 0: at the newest.
func beforeOf(r *http.Request) (int64, error) {
	text := r.URL.Query().Get("before")
	if text == "" {
		return 0, nil
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, badRequest("That is not the number of a post.")
	}
	return id, nil
}

// cutPage returns the posts that fit on a page, and the ID before which the next page begins; 0: there is none.
func cutPage(posts []Post) (page []Post, older int64) {
	if len(posts) <= postsPerPage {
		return posts, 0
	}
	page = posts[:postsPerPage]
	return page, page[postsPerPage-1].ID
}
