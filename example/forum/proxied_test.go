package main

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Behind proxies that serve both http and https, each way has a cookie of its own, and only one that says so over TLS is Secure.
func TestEachWayHasItsCookie(t *testing.T) {
	for name, c := range map[string]struct{ proxy, proto, cookie string }{
		"https":                        {"127.0.0.0/8", "https", "__Host-session"},
		"http":                         {"127.0.0.0/8", "http", "session"},
		"https, says no proxy of ours": {"10.0.0.0/8", "https", "session"},
	} {
		b := openBrowser(t, serveForum(t, inMemory(), settings{idle: time.Minute, proxies: []netip.Prefix{netip.MustParsePrefix(c.proxy)}}))
		b.header = http.Header{"X-Forwarded-Proto": {c.proto}}
		cookie, err := http.ParseSetCookie(b.get("/forums/lobby").header.Get("Set-Cookie"))
		if err != nil || cookie.Name != c.cookie || cookie.Secure != strings.HasPrefix(c.cookie, "__Host-") {
			t.Errorf("%s: got the cookie %v (%v), want %s", name, cookie, err, c.cookie)
		}
	}
}

// The cookie of the other way is not that of a session which has ended.
func TestTheCookieOfTheOtherWayHasNotEnded(t *testing.T) {
	b := openBrowser(t, serveForum(t, inMemory(), settings{idle: time.Minute, proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}))
	b.get("/forums/lobby")
	b.header = http.Header{"X-Forwarded-Proto": {"https"}}
	b.get("/").wantsNot(t, hasEnded)
}
