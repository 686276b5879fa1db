package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lazysession/session/internal/pgtest"
)

func newDatabase(t *testing.T) (url string) { return pgtest.Shared(t).Database(t) }

func openTestPostgres(t *testing.T, url string) storage {
	t.Helper()
	s, err := openPostgres(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// sharedKeys is what every server of a site has.
var sharedKeys = [][]byte{[]byte(strings.Repeat("k", 32))}

// startServer serves one forum of several on a database.
func startServer(t *testing.T, url string) (address string) {
	t.Helper()
	return serveForum(t, openTestPostgres(t, url), settings{idle: 30 * time.Minute, keys: sharedKeys})
}

func TestServersThatStartAtOnceMakeOneSite(t *testing.T) {
	url := newDatabase(t)
	storages := make([]storage, 3)
	var starting sync.WaitGroup
	for i := range storages {
		starting.Go(func() {
			var err error
			if storages[i], err = openPostgres(t.Context(), url); err != nil {
				t.Error(err)
			}
		})
	}
	starting.Wait()
	for i, s := range storages {
		if s.close == nil {
			continue
		}
		defer s.close()
		forums, err := s.posts.Forums(t.Context())
		if err != nil || len(forums) != len(firstForums) || forums[0].Posts != 1 {
			t.Errorf("server %d: got %+v (%v), want the first forums with one welcome", i, forums, err)
		}
	}
}

// A visitor whom a balancer sends to another server each time notices nothing.
func TestServersAreOneSite(t *testing.T) {
	url := newDatabase(t)
	b := openBrowser(t, startServer(t, url))
	other := startServer(t, url)
	swap := func() { b.address, other = other, b.address }
	b.get("/about").wants(t, http.StatusOK, "kept in a database")

	for want := 1; want <= 4; want++ {
		if got := b.get("/forums/lobby").visits(); got != want {
			t.Errorf("visits: got %d, want %d", got, want)
		}
		swap()
	}
	b.logIn("Ann")
	swap()
	if !b.loggedIn() {
		t.Error("logged in at one server, and not at the other")
	}
	b.post("/forums/go/posts", "text", "from one server")
	swap()
	b.get("/forums/go").wants(t, http.StatusOK, "from one server", "Ann")
	b.post("/logout")
	swap()
	if b.loggedIn() {
		t.Error("logged out at one server, and not at the other")
	}
}

// Somebody holds a lock on the table of sessions. Posts are elsewhere, so they can be read.
func TestReadingGoesOnWhileSessionsHang(t *testing.T) {
	s := openTestPostgres(t, newDatabase(t))
	b := openBrowser(t, serveForum(t, s, settings{idle: 30 * time.Minute, keys: sharedKeys}))
	b.logIn("Ann")
	b.post("/forums/go/posts", "text", "to be read").wants(t, http.StatusOK, "to be read")

	tx, err := s.posts.(*postgresRepo).pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	if _, err := tx.Exec(t.Context(), "LOCK TABLE session_sessions IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	b.get("/forums/go").wants(t, http.StatusOK, degraded, "to be read")
	b.get("/inside").wants(t, http.StatusServiceUnavailable, "Back in a moment")
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.get("/forums/go").wants(t, http.StatusOK, "forum 2 times")
	b.get("/inside").wants(t, http.StatusOK, "<dd>Ann</dd>")
}

func TestPostsThatCantBeReached(t *testing.T) {
	s := openTestPostgres(t, newDatabase(t))
	posts := s.posts.(*postgresRepo)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, forumsErr := posts.Forums(ctx)
	_, forumErr := posts.Forum(ctx, "go")
	_, postsErr := posts.Posts(ctx, "go", 0, 1)
	_, addErr := posts.AddPost(ctx, "go", Post{Author: "Ann", Text: "x"})
	for what, err := range map[string]error{"Forums": forumsErr, "Forum": forumErr, "Posts": postsErr, "AddPost": addErr} {
		if !errors.Is(err, errNoPosts) {
			t.Errorf("%s: got %v, want errNoPosts", what, err)
		}
		w := httptest.NewRecorder()
		showError(w, httptest.NewRequest("GET", "/", nil), err)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: a visitor gets %d with the header %v, want 503 with Retry-After", what, w.Code, w.Header())
		}
	}
}

func TestDatabaseThatIsNotThere(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte(strings.Repeat("ab", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	const secret = "not-to-be-told"
	args := []string{"-listen", "127.0.0.1:0", "-keys", keys, "-store"}
	for name, url := range map[string]string{
		"nobody listens": "postgres://ann:" + secret + "@127.0.0.1:1/forum",
		"no such form":   "postgres://ann:" + secret + "@127.0.0.1:port/forum",
	} {
		err := run(t.Context(), append(args, url), noEnv, io.Discard)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got %v, want an error without the password", name, err)
		}
	}
}
