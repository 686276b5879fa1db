package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

func TestEachForumCountsItsOwnVisits(t *testing.T) {
	b := openBrowser(t, startForum(t))
	for i, visit := range []struct {
		forum string
		want  int
	}{{"lobby", 1}, {"lobby", 2}, {"go", 1}, {"lobby", 3}, {"go", 2}, {"books", 1}} {
		if got := b.get("/forums/" + visit.forum).visits(); got != visit.want {
			t.Errorf("visit %d, of %s: the page says %d, want %d", i+1, visit.forum, got, visit.want)
		}
	}
	other := openBrowser(t, b.address)
	other.get("/forums/lobby").wants(t, http.StatusOK, "You have visited this forum 1 time in the current session.")
	other.get("/forums/lobby").wants(t, http.StatusOK, "You have visited this forum 2 times in the current session.")
	b.get("/").wants(t, http.StatusOK, "visited 3×", "visited 2×", "visited 1×")
}

// A meetingStore can let loads wait for each other, so that requests are at work at the same time for sure.
type meetingStore struct {
	*mem.Store
	meeting atomic.Pointer[sync.WaitGroup] // nil: nobody waits
}

func (s *meetingStore) Load(ctx context.Context, t store.Token) (*store.Record, error) {
	rec, err := s.Store.Load(ctx, t)
	if all := s.meeting.Load(); all != nil {
		all.Done()
		all.Wait()
	}
	return rec, err
}

func TestManyTabsGetEachNumberOnce(t *testing.T) {
	sessions := &meetingStore{Store: mem.New(nil)}
	b := openBrowser(t, startForumOn(t, sessions))
	b.get("/forums/go") // the session
	const tabs = 50
	all := new(sync.WaitGroup)
	all.Add(tabs)
	sessions.meeting.Store(all)
	numbers := make([]int, tabs)
	var loading sync.WaitGroup
	for i := range numbers {
		loading.Go(func() { numbers[i] = b.get("/forums/lobby").visits() })
	}
	loading.Wait()
	slices.Sort(numbers)
	for i, got := range numbers {
		if got != i+1 {
			t.Fatalf("%d tabs at once saw the numbers %v, want 1 to %d, each once", tabs, numbers, tabs)
		}
	}
}

func TestAVisitCostsOneLoadAndOneCommit(t *testing.T) {
	b := openBrowser(t, startForum(t))
	if got, want := b.get("/forums/lobby").usage(), "0 loads, 1 commit"; got != want {
		t.Errorf("first visit: %s, want %s", got, want)
	}
	if got, want := b.get("/forums/lobby").usage(), "1 load, 1 commit"; got != want {
		t.Errorf("second visit: %s, want %s", got, want)
	}
	b.logIn("Ann")
	posted := b.post("/forums/lobby/posts", "text", "Hello") // comes back to the forum with a message to take
	posted.wants(t, http.StatusOK, "Your post is up.")
	if got, want := posted.usage(), "1 load, 1 commit"; got != want {
		t.Errorf("visit with a message: %s, want %s", got, want)
	}
}

func TestReadingMakesNoSession(t *testing.T) {
	b := openBrowser(t, startForum(t))
	for _, path := range []string{"/", "/login", "/inside", "/sessions", "/about", "/forums/nope", "/forums/lobby/new"} {
		a := b.get(path)
		if cookies := a.header["Set-Cookie"]; len(cookies) > 0 || b.cookie() != "" {
			t.Errorf("GET %s set a cookie", path)
		}
		if got, want := a.usage(), "0 loads, 0 commits"; got != want {
			t.Errorf("GET %s used the store for %s, want %s", path, got, want)
		}
	}
}

func TestPagesWithoutSessionUseNoStore(t *testing.T) {
	b := openBrowser(t, startForum(t))
	b.logIn("Ann")
	if got, want := b.get("/about").usage(), "0 loads, 0 commits"; got != want {
		t.Errorf("/about used the store for %s, want %s", got, want)
	}
	for _, path := range []string{"/about", assetURL("style.css"), assetURL("icon.svg")} {
		a := b.get(path)
		a.wants(t, http.StatusOK)
		if vary := a.header.Get("Vary"); vary != "" {
			t.Errorf("GET %s has Vary: %s, so it has read the session", path, vary)
		}
		if caching := a.header.Get("Cache-Control"); !strings.HasPrefix(caching, "public") {
			t.Errorf("GET %s has Cache-Control: %s, want public", path, caching)
		}
	}
}

func TestOlderPostsAreOnTheNextPage(t *testing.T) {
	b := openBrowser(t, startForum(t))
	b.logIn("Ann")
	const posts = postsPerPage + 1
	for i := range posts {
		b.post("/forums/go/posts", "text", fmt.Sprintf("post number %d.", i+1))
	}
	newest := b.get("/forums/go")
	newest.wants(t, http.StatusOK, "post number 51.", "post number 2.", "Older posts")
	newest.wantsNot(t, "post number 1.")
	newest.wantsNot(t, firstPosts[1].text)
	_, rest, _ := strings.Cut(newest.body, `<a href="/forums/go?before=`)
	before, _, _ := strings.Cut(rest, `"`)
	older := b.get("/forums/go?before=" + before)
	older.wants(t, http.StatusOK, "post number 1.", firstPosts[1].text)
	older.wantsNot(t, "Older posts")
}

func TestWrongMethodsAreToldTheRightOnes(t *testing.T) {
	b := openBrowser(t, startForum(t))
	a := b.post("/about")
	a.wants(t, http.StatusMethodNotAllowed)
	if got := a.header.Get("Allow"); got != "GET" {
		t.Errorf("POST /about: Allow is %q, want GET", got)
	}
}

func TestUnknownAddresses(t *testing.T) {
	b := openBrowser(t, startForum(t))
	for path, status := range map[string]int{
		"/nope":                        http.StatusNotFound,
		"/forums/nope":                 http.StatusNotFound,
		"/forums/nope/new":             http.StatusNotFound,
		"/static/nope.css":             http.StatusNotFound,
		"/static/":                     http.StatusNotFound,
		"/forums/nope/posts":           http.StatusNotFound,
		"/forums/lobby?before=yes":     http.StatusBadRequest,
		"/forums/lobby?before=-1":      http.StatusBadRequest,
		"/forums/lobby%2F..%2Fgo":      http.StatusNotFound,
		"/static/%2e%2e/style.css":     http.StatusNotFound,
		"/?notice=%3Cb%3Eeverything":   http.StatusOK,
		"/login?forum=%22%3E%3Cb%3Ehi": http.StatusOK,
	} {
		a := b.get(path)
		a.wants(t, status, "<main", "</html>")
		a.wantsNot(t, "<b>")
	}
}
