package work

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
)

// A client sends requests of one visitor, one after the other, and keeps the cookie of the newest response for the next
// request, as a browser does.
type client interface {
	do() error // an error if the answer is not 200
	cookie() string
	setCookie(string)
	shown() string // by the last response
}

// An httpClient calls a handler of net/http without a network.
type httpClient struct {
	handler  http.Handler
	template *http.Request
	request  http.Request
	sent     [1]string
	response response
}

func newHTTPClient(h http.Handler) *httpClient {
	c := &httpClient{handler: h, template: httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil)}
	c.template.TLS = new(tls.ConnectionState) // or a Secure cookie is something to warn of
	c.template.Header = http.Header{"Accept": {"text/html"}, "User-Agent": {"bench"}}
	c.response.header = make(http.Header)
	return c
}

// do starts from the template each time: gorilla/sessions changes the request that it gets.
func (c *httpClient) do() error {
	c.request = *c.template
	c.response.reset()
	c.handler.ServeHTTP(&c.response, &c.request)
	if c.response.status != http.StatusOK {
		return fmt.Errorf("status %d: %s", c.response.status, c.response.body)
	}
	if set := c.response.header["Set-Cookie"]; len(set) > 0 {
		c.setCookie(pair(set[len(set)-1]))
	}
	return nil
}

// pair returns the name and value of a Set-Cookie header.
func pair(setCookie string) string {
	pair, _, _ := strings.Cut(setCookie, ";")
	return pair
}

func (c *httpClient) cookie() string { return c.sent[0] }

func (c *httpClient) setCookie(pair string) {
	if c.sent[0] = pair; pair == "" {
		delete(c.template.Header, "Cookie")
		return
	}
	c.template.Header["Cookie"] = c.sent[:]
}

func (c *httpClient) shown() string { return string(c.response.body) }
