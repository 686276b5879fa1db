package main

import (
	"net/http"
	"testing"

	"github.com/lazysession/session/sessiontest"
)

const degraded = "Sessions can’t be reached just now."

// Reading needs no session: the pages say what is missing, and show what is there.
func TestReadingGoesOnWithoutTheSession(t *testing.T) {
	address, sessions := startBrittleForum(t)
	b := openBrowser(t, address)
	b.logIn("Ann")
	b.get("/forums/lobby").wants(t, http.StatusOK, "forum 1 time")
	for what, calls := range map[string][]sessiontest.Call{
		"nothing": nil, // every call fails
		"loads":   {sessiontest.Load},
		"commits": {sessiontest.Commit},
	} {
		sessions.Fail(errInternal, calls...)
		a := b.get("/forums/lobby")
		a.wants(t, http.StatusOK, degraded, "can’t be counted just now", "Welcome! This forum counts")
		a.wantsNot(t, "You have visited")
		a.wantsNot(t, "/at-once")
		a.wantsNot(t, `class="button" href="/`+"forums/lobby/new")
		a.wantsNot(t, "db.internal")
		if what != "commits" {
			a.wantsNot(t, "Ann")
			b.get("/").wants(t, http.StatusOK, degraded, "Lobby")
		}
	}
	sessions.Mend()
	b.get("/").wantsNot(t, degraded)
	b.get("/forums/lobby").wants(t, http.StatusOK, "forum 2 times")
}

func TestAFirstVisitThatIsNotCountedBeginsNoSession(t *testing.T) {
	address, sessions := startBrittleForum(t)
	b := openBrowser(t, address)
	sessions.Fail(nil, sessiontest.Commit)
	b.get("/forums/lobby").wants(t, http.StatusOK, degraded)
	if b.cookie() != "" {
		t.Error("there is a cookie of a session that does not exist")
	}
}

// A message that was shown may be shown again, but the page is not lost.
func TestMessagesWaitUntilTheyCanBeTaken(t *testing.T) {
	address, sessions := startBrittleForum(t)
	b := openBrowser(t, address)
	b.logIn("Ann")
	b.post("/login", "name", "Bob", "forum", "nope") // no message
	b.withoutRedirects().post("/login", "name", "Bob").wants(t, http.StatusSeeOther)
	sessions.FailNext(1, nil, sessiontest.Commit)
	b.get("/forums/lobby").wants(t, http.StatusOK, degraded, "You are logged in as Ann.")
	b.get("/forums/lobby").wants(t, http.StatusOK, "You are logged in as Ann.")
	b.get("/forums/lobby").wantsNot(t, "You are logged in as Ann.")
}

// The post is up before the session is told of it. An error would be a reason to post it again.
func TestAPostThatIsUpIsNoError(t *testing.T) {
	address, sessions := startBrittleForum(t)
	b := openBrowser(t, address)
	b.logIn("Ann")
	sessions.FailNext(1, errInternal, sessiontest.Commit)
	b.post("/forums/go/posts", "text", "up at once").wants(t, http.StatusOK, "up at once</p>")
}
