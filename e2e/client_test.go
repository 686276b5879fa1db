package e2e

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// A client is a visitor without a browser: it keeps its cookies, and follows no redirects. Many goroutines may use it.
type client struct {
	http *http.Client
	site string
}

func newClient(t *testing.T, site string) *client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 32
	t.Cleanup(transport.CloseIdleConnections)
	return &client{
		http: &http.Client{
			Jar:           jar,
			Transport:     transport,
			Timeout:       20 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		site: site,
	}
}

// A reply is a whole response.
type reply struct {
	status int
	body   string
}

func (c *client) get(path string) (reply, error) { return whole(c.http.Get(c.site + path)) }

func (c *client) post(path string, form url.Values) (reply, error) {
	return whole(c.http.PostForm(c.site+path, form))
}

func (c *client) logIn(name string) (reply, error) {
	return c.post("/login", url.Values{"name": {name}})
}

// whole reads a response to its end: one that is cut off is an error.
func whole(resp *http.Response, err error) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, string(body)}, err
}

var visitsText = regexp.MustCompile(
	`You have visited this forum (?:<[^>]*>)?(\d+)(?:</[^>]*>)? times? in the current session`,
)

// visitsIn returns the number of visits that a forum's page shows, or -1.
func visitsIn(page string) int {
	m := visitsText.FindStringSubmatch(page)
	if m == nil {
		return -1
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return -1
	}
	return n
}

var forumLink = regexp.MustCompile(`href="(/forums/[^/"?]+)"`)

// firstForum returns the path of the first forum on the front page.
func (c *client) firstForum(t *testing.T) string {
	t.Helper()
	front, err := c.get("/")
	if err != nil {
		t.Fatal(err)
	}
	m := forumLink.FindStringSubmatch(front.body)
	if m == nil {
		t.Fatalf("no link to a forum on the front page:\n%s", front.body)
	}
	return m[1]
}
