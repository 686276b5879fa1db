package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// A brittleStore fails when it is told to.
type brittleStore struct {
	*mem.Store
	loadErr, commitErr atomic.Pointer[error]
}

func failWith(p *atomic.Pointer[error], err error) { p.Store(&err) }

func (s *brittleStore) Load(ctx context.Context, t store.Token) (*store.Record, error) {
	if err := s.loadErr.Load(); err != nil {
		return nil, *err
	}
	return s.Store.Load(ctx, t)
}

func (s *brittleStore) Commit(ctx context.Context, t store.Token, c *store.Change) (*store.Record, error) {
	if err := s.commitErr.Load(); err != nil {
		return nil, *err
	}
	return s.Store.Commit(ctx, t, c)
}

func TestAStoreThatIsDownIsAnErrorPage(t *testing.T) {
	sessions := &brittleStore{Store: mem.New(nil)}
	b := openBrowser(t, startForumOn(t, sessions))
	b.logIn("Ann")

	failWith(&sessions.commitErr, errors.New("disk full"))
	a := b.get("/forums/lobby")
	a.wants(t, http.StatusServiceUnavailable, "Back in a moment", `href="/forums/lobby"`)
	a.wantsNot(t, "disk full")
	a.wantsNot(t, "You have visited")

	failWith(&sessions.loadErr, errors.New("no route"))
	for _, path := range []string{"/", "/forums/lobby", "/sessions", "/inside", "/forums/go/new"} {
		b.get(path).wants(t, http.StatusServiceUnavailable, "Back in a moment")
	}
	b.get("/about").wants(t, http.StatusOK)

	sessions.loadErr.Store(nil)
	sessions.commitErr.Store(nil)
	if !b.loggedIn() {
		t.Error("not logged in any more, though the store is back")
	}
}

func TestASessionThatEndsMeanwhileIsAConflict(t *testing.T) {
	sessions := &brittleStore{Store: mem.New(nil)}
	b := openBrowser(t, startForumOn(t, sessions))
	b.logIn("Ann")
	failWith(&sessions.commitErr, store.ErrNotFound)
	b.get("/forums/lobby").wants(t, http.StatusConflict, "Your session has moved on", "Load the page again")
}

func TestErrorsAreJSONForWhoAsksForIt(t *testing.T) {
	b := openBrowser(t, startForum(t))
	b.header = http.Header{"Accept": {"application/json"}}
	a := b.get("/forums/nope")
	var got struct{ Error string }
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || got.Error != "There is no such forum." {
		t.Errorf("the answer is %q (%v)", a.body, err)
	}
}

func TestEveryAnswerIsProtected(t *testing.T) {
	b := openBrowser(t, startForum(t))
	for _, path := range []string{"/", "/about", "/forums/nope", "/static/style.css"} {
		h := b.get(path).header
		for name, want := range map[string]string{
			"Content-Security-Policy": policy,
			"X-Content-Type-Options":  "nosniff",
			"Referrer-Policy":         "same-origin",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("GET %s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
}

// Every page has the account or a way to it: also those that don't use the session, and those of errors.
func TestNoPageLosesTheAccount(t *testing.T) {
	sessions := &brittleStore{Store: mem.New(nil)}
	guest := openBrowser(t, startForumOn(t, sessions))
	member := openBrowser(t, guest.address)
	member.logIn("Ann")
	for _, path := range []string{"/", "/forums/lobby", "/nowhere", "/forums/nope", "/forums/go?before=x"} {
		guest.get(path).wants(t, guest.get(path).status, `href="/login">Log in</a>`)
		member.get(path).wants(t, member.get(path).status, `<span class="who">Ann</span>`, `action="/logout"`)
	}
	member.post("/sessions/end", "id", "x").wants(t, http.StatusBadRequest, `<span class="who">Ann</span>`)
	for _, path := range []string{"/about", "/connection", "/?%00"} {
		member.get(path).wants(t, member.get(path).status, "Your account</a>")
	}
	failWith(&sessions.loadErr, errors.New("no route"))
	member.get("/").wants(t, http.StatusServiceUnavailable, "Your account</a>")
	member.get("/nowhere").wants(t, http.StatusNotFound, "Your account</a>")
}
