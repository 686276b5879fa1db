package main

import (
	"net/http"
	"strings"
	"testing"
)

func TestPostsAreShownAsText(t *testing.T) {
	b := openBrowser(t, startForum(t))
	b.post("/login", "name", "<i>Ann</i>").wants(t, http.StatusOK, "Welcome, &lt;i&gt;Ann&lt;/i&gt;.")
	a := b.post("/forums/lobby/posts", "text", "<script>alert(1)</script>\r\nsecond line")
	a.wants(t, http.StatusOK, "&lt;script&gt;alert(1)&lt;/script&gt;\nsecond line", "&lt;i&gt;Ann&lt;/i&gt;")
	a.wantsNot(t, "<script>")
	a.wantsNot(t, "<i>")
}

func TestPostingNeedsALoginAndKeepsTheDraft(t *testing.T) {
	b := openBrowser(t, startForum(t))
	a := b.post("/forums/go/posts", "text", "written before the login")
	a.wants(t, http.StatusOK, "Log in to post. What you wrote is kept until then.", `name="forum" value="go"`)
	b.get("/forums/go").wantsNot(t, "written before the login")

	a = b.post("/login", "name", "Ann", "forum", "go")
	a.wants(t, http.StatusOK, "written before the login</textarea>")
	if want := "/forums/go/new"; a.path != want {
		t.Errorf("the login led to %s, want %s", a.path, want)
	}
	b.post("/forums/go/posts", "text", "written before the login").wants(t, http.StatusOK,
		"written before the login", "Ann")
	b.get("/forums/go/new").wantsNot(t, "written before the login")
}

func TestPostsThatAreRefused(t *testing.T) {
	b := openBrowser(t, startForum(t))
	b.logIn("Ann")
	for name, post := range map[string]struct{ text, want string }{
		"empty":      {"", "Write something first."},
		"only space": {" \r\n\t ", "Write something first."},
		"too long":   {strings.Repeat("ä", maxText+1), "That is too long"},
		"control":    {"a\x01b", "control characters"},
	} {
		t.Run(name, func(t *testing.T) {
			a := b.post("/forums/go/posts", "text", post.text)
			a.wants(t, http.StatusUnprocessableEntity, post.want, `aria-invalid="true"`)
		})
	}
	longest := strings.Repeat("ä", maxText)
	b.post("/forums/go/posts", "text", longest).wants(t, http.StatusOK, longest)
	b.post("/forums/nope/posts", "text", "hello").wants(t, http.StatusNotFound)
	b.post("/forums/go/posts", "text", strings.Repeat("a", maxBody)).wants(t, http.StatusRequestEntityTooLarge)
}

func TestAMessageIsShownOnce(t *testing.T) {
	b := openBrowser(t, startForum(t))
	b.logIn("Ann")
	b.post("/forums/go/posts", "text", "hello").wants(t, http.StatusOK, "Your post is up.")
	for _, path := range []string{"/forums/go", "/", "/inside"} {
		b.get(path).wantsNot(t, "Your post is up.")
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	b := openBrowser(t, startForum(t))
	b.logIn("Ann")
	foreign := *b
	for name, header := range map[string]http.Header{
		"Sec-Fetch-Site": {"Sec-Fetch-Site": {"cross-site"}},
		"same site":      {"Sec-Fetch-Site": {"same-site"}},
		"Origin":         {"Origin": {"https://evil.example"}},
	} {
		foreign.header = header
		for _, path := range []string{"/forums/go/posts", "/logout", "/login", "/sessions/end", "/sessions/end-others"} {
			foreign.post(path, "text", "smuggled", "name", "Eve").wants(t, http.StatusForbidden, "Not from here")
		}
		if !b.loggedIn() {
			t.Fatalf("%s: a refused form had an effect", name)
		}
	}
	b.get("/forums/go").wantsNot(t, "smuggled")
	b.header = http.Header{"Sec-Fetch-Site": {"same-origin"}}
	b.post("/forums/go/posts", "text", "my own").wants(t, http.StatusOK, "my own")
}

// After a form that was refused, the browser has the address that the form was sent to, and may open it like a page.
func TestAddressesOfFormsLeadToTheirPages(t *testing.T) {
	b := openBrowser(t, startForum(t))
	b.logIn("Ann")
	for from, to := range map[string]string{
		"/forums/go/posts":     "/forums/go/new",
		"/login":               "/login",
		"/logout":              "/login",
		"/sessions/end":        "/sessions",
		"/sessions/end-others": "/sessions",
	} {
		a := b.get(from)
		a.wants(t, http.StatusOK)
		if a.path != to {
			t.Errorf("GET %s led to %s, want %s", from, a.path, to)
		}
	}
	if !b.loggedIn() {
		t.Error("opening an address has logged out")
	}
}
