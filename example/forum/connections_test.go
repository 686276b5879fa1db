package main

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/store/mem"
)

func inMemory() storage {
	return storage{sessions: mem.New(nil), posts: newMemoryRepo(), streams: memlog.New(nil)}
}

var bytesIn = regexp.MustCompile(`Bytes in</dt><dd>(\d+) B<`)

func TestYourConnection(t *testing.T) {
	srv := serveForumBy(t, (*httptest.Server).Start, inMemory(), settings{idle: time.Minute, rate: 1000})
	b := openBrowser(t, srv.URL)
	b.client.Transport = &http.Transport{}
	defer b.client.CloseIdleConnections()
	first := b.get("/connection")
	first.wants(t, http.StatusOK, "1 request so far", "HTTP/1.1", "plain http", "1000 requests a second",
		"Open now</dt><dd>1<", `aria-current="page">Your connection`)
	second := b.get("/connection")
	second.wants(t, http.StatusOK, "2 requests so far")
	was, is := numberIn(t, bytesIn, first), numberIn(t, bytesIn, second)
	if was == 0 || is != 2*was {
		t.Errorf("bytes in: got %d and %d, want twice the first one's request", was, is)
	}
	second.wantsNot(t, "Bytes out</dt><dd>0 B")
	if got := second.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control: got %q, want no-store", got)
	}

	other := openBrowser(t, srv.URL)
	other.client.Transport = &http.Transport{}
	defer other.client.CloseIdleConnections()
	other.get("/connection").wants(t, http.StatusOK, "1 request so far", "Open now</dt><dd>2<")
}

func numberIn(t *testing.T, where *regexp.Regexp, a answer) int {
	t.Helper()
	found := where.FindStringSubmatch(a.body)
	if found == nil {
		t.Fatalf("no %v in the page:\n%s", where, a.body)
	}
	n, _ := strconv.Atoi(found[1])
	return n
}

func TestYourConnectionOverTLS(t *testing.T) {
	start := func(srv *httptest.Server) { srv.EnableHTTP2 = true; srv.StartTLS() }
	srv := serveForumBy(t, start, inMemory(), settings{idle: time.Minute})
	b := openBrowser(t, srv.URL)
	b.client.Transport = srv.Client().Transport
	b.get("/connection").wants(t, http.StatusOK, "1 request so far", "HTTP/2.0", "TLS 1.3")
	b.get("/connection").wants(t, http.StatusOK, "2 requests so far")
}

// The connection is what is limited: another one of the same visitor is not.
func TestTooManyRequestsOnAConnection(t *testing.T) {
	srv := serveForumBy(t, (*httptest.Server).Start, inMemory(), settings{idle: time.Minute, rate: 1})
	b := openBrowser(t, srv.URL)
	b.client.Transport = &http.Transport{}
	defer b.client.CloseIdleConnections()
	b.get("/about").wants(t, http.StatusOK)
	a := b.get("/about")
	a.wants(t, http.StatusTooManyRequests, "Not so fast", "1 request a second", `href="/about"`)
	if a.header.Get("Retry-After") != "1" || a.header.Get("Content-Security-Policy") != policy {
		t.Errorf("header: got %v, want Retry-After and the security headers", a.header)
	}
	b.client.CloseIdleConnections()
	b.get("/about").wants(t, http.StatusOK)
}
