package main

import (
	"net/http"
	"testing"
)

const hasEnded = "Your session has ended."

func TestASessionThatWasEndedElsewhereSaysSo(t *testing.T) {
	address := startForum(t)
	laptop, phone := openBrowser(t, address), openBrowser(t, address)
	laptop.logIn("Ann")
	phone.logIn("Ann")
	laptop.get("/").wantsNot(t, hasEnded)
	laptop.post("/sessions/end-others").wantsNot(t, hasEnded)

	for _, path := range []string{"/", "/sessions", "/forums/go/new", "/login", "/inside"} {
		phone.get(path).wants(t, http.StatusOK, hasEnded+" It was ended on another device")
	}
	phone.get("/about").wantsNot(t, hasEnded) // it doesn't know
	phone.get("/forums/lobby").wants(t, http.StatusOK, hasEnded)
	phone.get("/forums/lobby").wantsNot(t, hasEnded) // a new one has begun
}

func TestAPostAfterTheEndSaysWhyToLogIn(t *testing.T) {
	address := startForum(t)
	laptop, phone := openBrowser(t, address), openBrowser(t, address)
	laptop.logIn("Ann")
	phone.logIn("Ann")
	laptop.post("/sessions/end-others")
	phone.post("/forums/go/posts", "text", "not to be lost").wants(t, http.StatusOK,
		"Your session has ended, so log in again", "What you wrote is kept")
	phone.post("/login", "name", "Ann", "forum", "go").wants(t, http.StatusOK, "not to be lost</textarea>")
}

func TestVisitorsWhoseSessionHasNotEndedAreNotToldSo(t *testing.T) {
	b := openBrowser(t, startForum(t))
	b.get("/sessions").wantsNot(t, hasEnded)
	b.get("/forums/lobby").wantsNot(t, hasEnded)
	b.logIn("Ann")
	b.get("/").wantsNot(t, hasEnded)
	b.post("/logout").wantsNot(t, hasEnded)
	b.get("/sessions").wantsNot(t, hasEnded)
}
