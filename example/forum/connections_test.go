package main

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/lazysession/session/store/mem"
)

func inMemory() storage { return storage{sessions: mem.New(nil), posts: newMemoryRepo()} }

var bytesIn = regexp.MustCompile(`Bytes in</dt><dd>(\d+) bytes`)

func TestYourConnection(t *testing.T) {
	srv := serveForumBy(t, (*httptest.Server).Start, inMemory(), settings{idle: time.Minute, rate: 1000})
	b := openBrowser(t, srv.URL)
	b.client.Transport = &http.Transport{}
	defer b.client.CloseIdleConnections()
	first := b.get("/connection")
	first.wants(t, http.StatusOK, "1 request so far", "HTTP/1.1", "plain http", "1000 requests a second", "Open now</dt><dd>1<", `aria-current="page">Your connection`)
	second := b.get("/connection")
	second.wants(t, http.StatusOK, "2 requests so far")
	was, is := numberIn(t, bytesIn, first), numberIn(t, bytesIn, second)
	if was == 0 || is != 2*was {
		t.Errorf("bytes in: got %d and %d, want twice the first one's request", was, is)
	}
	second.wantsNot(t, "Bytes out</dt><dd>0 bytes")
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

func TestBucket(t *testing.T) {
	now := time.Unix(1000, 0)
	b := newBucket(10)
	take := func(n int) (taken int) {
		for range n {
			if b.take(now) {
				taken++
			}
		}
		return taken
	}
	for _, c := range []struct {
		after     time.Duration
		ask, want int
	}{
		{0, 12, 10},                      // a second's worth at once
		{50 * time.Millisecond, 2, 0},    // half a request
		{50 * time.Millisecond, 2, 1},    // and the other half
		{time.Hour, 20, 10},              // never more than a second's worth
		{-time.Hour, 1, 0},               // a clock that was set back gives nothing
		{time.Hour + time.Second, 1, 1},  // and is made up for
		{100 * time.Millisecond, 20, 10}, // nothing is lost
	} {
		now = now.Add(c.after)
		if got := take(c.ask); got != c.want {
			t.Errorf("after %v, %d requests: got %d through, want %d", c.after, c.ask, got, c.want)
		}
	}
}

func TestBucketIsShared(t *testing.T) {
	b, now := newBucket(50), time.Unix(1000, 0)
	var taken sync.Map
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			if b.take(now) {
				taken.Store(i, true)
			}
		})
	}
	wg.Wait()
	n := 0
	taken.Range(func(any, any) bool { n++; return true })
	if n != 50 {
		t.Errorf("100 requests at once: got %d through, want 50", n)
	}
}
