package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lazysession/session"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// startBrittleForum serves a forum on a store that fails when it is told to.
func startBrittleForum(t *testing.T) (address string, sessions *sessiontest.BrokenStore) {
	t.Helper()
	sessions = sessiontest.Broken(mem.New(nil))
	return startForumOn(t, sessions), sessions
}

var errInternal = errors.New("no route to forum@db.internal")

func TestAStoreThatIsDownIsAnErrorPage(t *testing.T) {
	address, sessions := startBrittleForum(t)
	b := openBrowser(t, address)
	b.logIn("Ann")
	for _, calls := range [][]sessiontest.Call{{sessiontest.Load}, {sessiontest.Load, sessiontest.Commit}} {
		sessions.Fail(errInternal, calls...)
		for _, path := range []string{
			"/sessions", "/inside", "/login", "/forums/go/new", "/forums/go/at-once", "/forums/go/visit.svg",
		} {
			a := b.get(path)
			a.wants(t, http.StatusServiceUnavailable, "Back in a moment", `href="`+path+`"`)
			a.wantsNot(t, "db.internal")
		}
		b.post("/login", "name", "Bob").wants(t, http.StatusServiceUnavailable, "Back in a moment")
		b.post("/forums/go/posts", "text", "hello").wants(t, http.StatusServiceUnavailable, "Back in a moment")
		b.post("/logout").wants(t, http.StatusServiceUnavailable, "Back in a moment")
		b.get("/about").wants(t, http.StatusOK)
	}
	sessions.Mend()
	if !b.loggedIn() {
		t.Error("not logged in any more, though the store is back")
	}
	b.get("/forums/go").wantsNot(t, "hello")
}

// The status and the headers of an error page are those of session.Error. Its words are the forum's own, and name
// nothing internal.
func TestErrorPagesAnswerAsSessionErrorDoes(t *testing.T) {
	for _, why := range []error{
		session.ErrUnavailable, session.ErrOutcomeUnknown, context.Canceled, context.DeadlineExceeded,
		session.ErrEnded, session.ErrConflict, session.ErrTooLarge, session.ErrTooLate,
		&session.ValueError{Name: "user", Err: errInternal},
	} {
		err := fmt.Errorf("%w: %w", why, errInternal)
		page, plain := httptest.NewRecorder(), httptest.NewRecorder()
		showError(page, httptest.NewRequest("GET", "/", nil), err)
		session.Error(plain, httptest.NewRequest("GET", "/", nil), err)
		if page.Code != plain.Code || page.Header().Get("Retry-After") != plain.Header().Get("Retry-After") {
			t.Errorf("%v: got %d with Retry-After %q, want %d with %q", why,
				page.Code, page.Header().Get("Retry-After"), plain.Code, plain.Header().Get("Retry-After"))
		}
		if got := page.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
			t.Errorf("%v: the page is %q, want text/html", why, got)
		}
		if body := page.Body.String(); !strings.Contains(body, "</html>") || strings.Contains(body, "db.internal") {
			t.Errorf("%v: want a page without the host's name:\n%s", why, body)
		}
	}
}

func TestASessionThatEndsMeanwhileIsAConflict(t *testing.T) {
	address, sessions := startBrittleForum(t)
	b := openBrowser(t, address)
	b.logIn("Ann")
	sessions.FailNext(1, store.ErrNotFound, sessiontest.Commit)
	b.get("/forums/lobby").wants(t, http.StatusConflict, "Your session has moved on", "Load the page again")
}

func TestErrorsAreJSONForClientsThatAskForIt(t *testing.T) {
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
	address, sessions := startBrittleForum(t)
	guest := openBrowser(t, address)
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
	sessions.Fail(nil, sessiontest.Load)
	member.get("/").wants(t, http.StatusOK, "Your account</a>")
	member.get("/inside").wants(t, http.StatusServiceUnavailable, "Your account</a>")
	member.get("/nowhere").wants(t, http.StatusNotFound, "Your account</a>")
}
