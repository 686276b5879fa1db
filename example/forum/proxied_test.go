package main

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// behind serves a forum behind a proxy, and returns a visitor whose own proxy is at a loopback address.
func behind(t *testing.T, proxy string) *browser {
	t.Helper()
	proxies := []netip.Prefix{netip.MustParsePrefix(proxy)}
	return openBrowser(t, serveForum(t, inMemory(), settings{idle: time.Minute, proxies: proxies}))
}

// Behind proxies that serve both http and https, each way has a cookie of its own.
func TestEachWayHasItsCookie(t *testing.T) {
	for name, c := range map[string]struct{ proxy, proto, cookie string }{
		"https":                        {"127.0.0.0/8", "https", "__Host-session"},
		"http":                         {"127.0.0.0/8", "http", "session"},
		"https, says no proxy of ours": {"10.0.0.0/8", "https", "session"},
	} {
		b := behind(t, c.proxy)
		b.header = http.Header{"X-Forwarded-Proto": {c.proto}}
		cookie, err := http.ParseSetCookie(b.get("/forums/lobby").header.Get("Set-Cookie"))
		if err != nil || cookie.Name != c.cookie || cookie.Secure != strings.HasPrefix(c.cookie, "__Host-") {
			t.Errorf("%s: got another cookie (%v), want %s", name, err, c.cookie)
		}
	}
}

// The cookie of the other way is not that of a session which has ended.
func TestTheCookieOfTheOtherWayHasNotEnded(t *testing.T) {
	b := behind(t, "127.0.0.0/8")
	b.get("/forums/lobby")
	b.header = http.Header{"X-Forwarded-Proto": {"https"}}
	b.get("/").wantsNot(t, hasEnded)
}
