package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/store/mem"
)

// startForum serves a forum on a store in memory.
func startForum(t *testing.T) (address string) {
	t.Helper()
	return startForumOn(t, mem.New(nil))
}

func startForumOn(t *testing.T, sessions backend) (address string) {
	t.Helper()
	on := storage{sessions: sessions, posts: newMemoryRepo(), streams: memlog.New(nil)}
	return serveForum(t, on, settings{idle: 30 * time.Minute})
}

func serveForum(t *testing.T, on storage, cfg settings) (address string) {
	t.Helper()
	return serveForumBy(t, (*httptest.Server).Start, on, cfg).URL
}

func serveForumBy(t *testing.T, start func(*httptest.Server), on storage, cfg settings) *httptest.Server {
	t.Helper()
	forum, err := newApp(on, cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(forum)
	srv.Listener = forum.connections.configure(srv.Config)(srv.Listener)
	start(srv)
	t.Cleanup(func() {
		srv.Close()
		if err := forum.Close(); err != nil {
			t.Error("Close:", err)
		}
	})
	return srv
}

// A browser keeps cookies and follows redirects.
type browser struct {
	t       *testing.T
	address string
	client  *http.Client
	agent   string
	header  http.Header
}

func openBrowser(t *testing.T, address string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	return &browser{t: t, address: address, client: client, agent: "Mozilla/5.0 (X11; Linux) Firefox/140.0"}
}

// An answer is a response that was read.
type answer struct {
	status int
	header http.Header
	path   string // and query, after redirects
	body   string
}

func (b *browser) do(req *http.Request) answer {
	b.t.Helper()
	req.Header.Set("User-Agent", b.agent)
	for name, values := range b.header {
		req.Header[name] = values
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Error(err)
		return answer{}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Error(err)
	}
	return answer{resp.StatusCode, resp.Header, resp.Request.URL.RequestURI(), string(body)}
}

func (b *browser) get(path string) answer {
	b.t.Helper()
	req, err := http.NewRequest("GET", b.address+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(req)
}

// post sends a form with the given names and values.
func (b *browser) post(path string, namesAndValues ...string) answer {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(namesAndValues); i += 2 {
		form.Add(namesAndValues[i], namesAndValues[i+1])
	}
	req, err := http.NewRequest("POST", b.address+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(req)
}

func (b *browser) logIn(name string) {
	b.t.Helper()
	b.post("/login", "name", name).wants(b.t, http.StatusOK, "Welcome, "+name)
}

// cookie returns the session cookie's value; empty where there is none.
func (b *browser) cookie() string {
	b.t.Helper()
	u, err := url.Parse(b.address)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == "session" {
			return c.Value
		}
	}
	return ""
}

// withoutRedirects returns the same browser as one that stays where it is sent.
func (b *browser) withoutRedirects() *browser {
	stays, client := *b, *b.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	stays.client = &client
	return &stays
}

// loggedIn reports whether the pages show a name and a way out.
func (b *browser) loggedIn() bool {
	b.t.Helper()
	return strings.Contains(b.get("/").body, `action="/logout"`)
}

func (a answer) wants(t *testing.T, status int, texts ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: status %d, want %d", a.path, a.status, status)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("%s: no %q in the page:\n%s", a.path, text, a.body)
		}
	}
}

func (a answer) wantsNot(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(a.body, text) {
		t.Errorf("%s: there is %q in the page:\n%s", a.path, text, a.body)
	}
}

var visitsSentence = regexp.MustCompile(`You have visited this forum (\d+) times? in the current session\.`)

// visits returns the number that a forum's page says; 0 where it says none.
func (a answer) visits() int {
	found := visitsSentence.FindStringSubmatch(a.body)
	if found == nil {
		return 0
	}
	n, _ := strconv.Atoi(found[1])
	return n
}

func (a answer) usage() string {
	_, rest, _ := strings.Cut(a.body, "This request used the session store for <strong>")
	text, _, _ := strings.Cut(rest, "</strong>")
	return text
}
