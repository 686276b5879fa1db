package main

import (
	"net/http"
	"strings"
	"testing"
)

// malformed are texts that no browser makes, and that a database refuses: a NUL, and what is no UTF-8.
var malformed = []string{"%00", "%ff", "a%00b", "%c3", "%ed%a0%80"}

// TestMalformedTextIsTheClientsMistake asks on both storages: what is told of them must not differ.
func TestMalformedTextIsTheClientsMistake(t *testing.T) {
	t.Run("memory", func(t *testing.T) { refusesMalformedText(t, startForum(t)) })
	t.Run("postgres", func(t *testing.T) { refusesMalformedText(t, startServer(t, newDatabase(t))) })
}

func refusesMalformedText(t *testing.T, address string) {
	b := openBrowser(t, address)
	b.logIn("Ann")
	for _, text := range malformed {
		for _, path := range []string{
			"/", "/forums/", "/forums/lobby", "/forums/a%2F", "/static/", "/sessions/",
			"/forums/lobby?before=", "/login?forum=", "/?notice=", "/about?",
		} {
			b.get(path+text).wants(t, http.StatusBadRequest, "</html>")
		}
		b.get("/forums/"+text+"/new").wants(t, http.StatusBadRequest)
		for path, field := range map[string]string{"/login": "name", "/forums/go/posts": "text", "/sessions/end": "id"} {
			b.postRaw(path, field+"="+text).wants(t, http.StatusBadRequest)
		}
		b.get("/?notice=%c3&notice=%a9").wants(t, http.StatusBadRequest) // each is checked by itself
		b.postRaw("/login", "name=Ann&forum="+text).wants(t, http.StatusBadRequest)
		b.postRaw("/forums/"+text+"/posts", "text=hello").wants(t, http.StatusBadRequest)
		b.postRaw("/forums/go/posts", "text=hello&"+text+"=x").wants(t, http.StatusBadRequest)
	}
	if !b.loggedIn() {
		t.Error("a refused form has logged out")
	}
	b.get("/forums/go").wantsNot(t, "hello")
}

func TestWellFormedTextIsLeftAlone(t *testing.T) {
	b := openBrowser(t, startForum(t))
	for path, status := range map[string]int{
		"/?notice=100%":          http.StatusOK, // a wrong escape, which browsers send as it was typed
		"/forums/%E2%82%AC":      http.StatusNotFound,
		"/login?forum=%F0%9F%98": http.StatusBadRequest,
		"/login?forum=%EF%BF%BD": http.StatusOK,
	} {
		b.get(path).wants(t, status)
	}
	b.logIn("Ælfgifu 🙂")
}

// postRaw sends the text of a form as it is.
func (b *browser) postRaw(path, form string) answer {
	b.t.Helper()
	req, err := http.NewRequest("POST", b.address+path, strings.NewReader(form))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(req)
}
