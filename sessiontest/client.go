package sessiontest

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"

	"github.com/lazysession/session"
)

// A Client is a browser without a network: it sends requests to a handler and keeps the cookies of the responses. It
// uses https://example.com, or the host that a request names, so that Secure cookies work without a certificate. It
// accepts and sends cookies as browsers do: by domain, path and age, by Secure, and by the prefixes of their names. It
// also keeps the token of session.BearerHeader. It follows no redirects. Any number of goroutines may use it.
//
//	c := sessiontest.NewClient(m.Handler(mux))
//	c.Post("/login", url.Values{"user": {"ann"}})
//	if got := c.Get("/account").Body.String(); got != "Hello, ann." { … }
type Client struct {
	handler http.Handler
	*kept
}

// A kept is what a client keeps between requests.
type kept struct {
	jar http.CookieJar

	mu sync.Mutex
	// mu locks the remaining field.
	token string // of session.BearerHeader
}

// NewClient returns a client of h without any cookies.
func NewClient(h http.Handler) *Client {
	jar, _ := cookiejar.New(nil) // without options there is no error
	return &Client{handler: h, kept: &kept{jar: jar}}
}

// On returns a client for another handler that shares the cookies of this one.
func (c *Client) On(h http.Handler) *Client { return &Client{handler: h, kept: c.kept} }

// Get requests a target, such as "/account" or "https://shop.example.com/account", and returns the response.
func (c *Client) Get(target string) *httptest.ResponseRecorder {
	return c.Do(httptest.NewRequest(http.MethodGet, absolute(target), nil))
}

// Post sends a form to a target and returns the response.
func (c *Client) Post(target string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, absolute(target), strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.Do(r)
}

// Do sends a request with the client's cookies and returns the response. It does not change r. A request from
// httptest.NewRequest whose target has no scheme goes over https, too; only one to "http://…" does not.
func (c *Client) Do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	c.Serve(w, r)
	return w
}

// Serve is Do with a recorder of your own, which keeps what was written even if the handler panics.
func (c *Client) Serve(w *httptest.ResponseRecorder, r *http.Request) {
	u := destination(r)
	c.handler.ServeHTTP(w, c.dress(r, u))
	c.receive(u, w.Result())
}

// Request returns a request, as httptest.NewRequest does, with the cookies that the client has now. A test can send it
// itself, or later, when the client has other cookies.
func (c *Client) Request(method, target string, body io.Reader) *http.Request {
	r := httptest.NewRequest(method, absolute(target), body)
	return c.dress(r, destination(r))
}

// Cookies returns the cookies, as name and value, that the client would send to a target.
func (c *Client) Cookies(target string) []*http.Cookie {
	return c.jar.Cookies(destination(httptest.NewRequest(http.MethodGet, absolute(target), nil)))
}

const site = "https://example.com"

func absolute(target string) string {
	if strings.HasPrefix(target, "/") {
		return site + target
	}
	return target
}

// destination returns the whole URL that a request goes to.
func destination(r *http.Request) *url.URL {
	u := *r.URL
	if u.Scheme == "" {
		u.Scheme = "https"
	}
	if u.Host == "" {
		u.Host = r.Host
	}
	return &u
}

// dress returns the request as the server gets it, with the client's cookies and token.
func (k *kept) dress(r *http.Request, u *url.URL) *http.Request {
	r = r.Clone(r.Context())
	if u.Scheme == "https" && r.TLS == nil {
		r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, ServerName: u.Hostname()}
	}
	for _, c := range k.jar.Cookies(u) {
		if !carries(r, c) {
			r.AddCookie(c)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.token != "" && r.Header.Get("Authorization") == "" {
		r.Header.Set("Authorization", "Bearer "+k.token)
	}
	return r
}

func carries(r *http.Request, c *http.Cookie) bool {
	for _, own := range r.CookiesNamed(c.Name) {
		if own.Value == c.Value {
			return true
		}
	}
	return false
}

func (k *kept) receive(u *url.URL, res *http.Response) {
	var taken []*http.Cookie
	for _, c := range res.Cookies() {
		if acceptable(u, c) {
			taken = append(taken, c)
		}
	}
	k.jar.SetCookies(u, taken)
	k.mu.Lock()
	defer k.mu.Unlock()
	if tokens := res.Header[session.TokenHeader]; len(tokens) > 0 {
		k.token = tokens[len(tokens)-1]
	}
}

// acceptable reports whether a browser accepts a cookie from u. It checks what a cookiejar does not check (RFC 6265bis,
// section 5.7).
func acceptable(u *url.URL, c *http.Cookie) bool {
	name := strings.ToLower(c.Name)
	switch {
	case c.Secure && u.Scheme != "https":
		return false
	case strings.HasPrefix(name, "__host-"):
		return c.Secure && c.Domain == "" && c.Path == "/"
	case strings.HasPrefix(name, "__secure-"):
		return c.Secure
	}
	return true
}
