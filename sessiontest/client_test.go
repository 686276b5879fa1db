package sessiontest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/lazysession/session"
	"github.com/lazysession/session/sessiontest"
)

// visiting counts the visits of each session.
func visiting(t *testing.T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := visits.Add(r.Context(), 1)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, n)
	}
}

func wantBody(t *testing.T, w *httptest.ResponseRecorder, want string) {
	t.Helper()
	if got := w.Body.String(); got != want {
		t.Errorf("answer: got %q, want %q", got, want)
	}
}

func TestClientKeepsItsSession(t *testing.T) {
	eachCarrier(t, func(t *testing.T, m *session.Manager, _ *sessiontest.Clock) {
		c := sessiontest.NewClient(m.Handler(visiting(t)))
		for n := range 3 {
			wantBody(t, c.Get("/"), fmt.Sprint(n+1))
		}
		wantBody(t, c.Do(httptest.NewRequest("GET", "/", nil)), "4")
		wantBody(t, c.On(m.Handler(visiting(t))).Get("/"), "5")
		wantBody(t, sessiontest.NewClient(m.Handler(visiting(t))).Get("/"), "1")
		c.On(m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if err := session.FromContext(r.Context()).End(); err != nil {
				t.Error(err)
			}
		}))).Get("/logout")
		wantBody(t, c.Get("/"), "1")
	})
}

func TestClientSendsWhatItIsGiven(t *testing.T) {
	c := sessiontest.NewClient(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprint(w, r.Method, " ", r.Host, r.URL.Path, " ", r.TLS != nil, " ", string(body))
	}))
	wantBody(t, c.Get("/a?b=c"), "GET example.com/a true ")
	wantBody(t, c.Get("https://shop.example.com/a"), "GET shop.example.com/a true ")
	wantBody(t, c.Get("http://example.com/a"), "GET example.com/a false ")
	wantBody(t, c.Post("/a", url.Values{"name": {"Ann & Bob"}}), "POST example.com/a true name=Ann+%26+Bob")
	wantBody(t, c.Do(httptest.NewRequest("PUT", "/a", strings.NewReader("body"))), "PUT example.com/a true body")
}

func TestClientLeavesRequestsAlone(t *testing.T) {
	m, _ := sessiontest.New(t, nil)
	c := sessiontest.NewClient(m.Handler(visiting(t)))
	r := httptest.NewRequest("GET", "/", nil)
	for n := range 3 {
		wantBody(t, c.Do(r), fmt.Sprint(n+1))
	}
	if len(r.Header) != 0 || r.TLS != nil {
		t.Errorf("request: got header %v and TLS %v, want none", r.Header, r.TLS)
	}
}

// A request keeps the cookies that the client had when it was made.
func TestClientRequest(t *testing.T) {
	m, _ := sessiontest.New(t, nil)
	c := sessiontest.NewClient(m.Handler(visiting(t)))
	c.Get("/")
	r := c.Request("GET", "/", nil)
	if got, want := len(r.Cookies()), 1; got != want {
		t.Fatalf("cookies: got %d, want %d", got, want)
	}
	wantBody(t, c.Do(r), "2") // the cookie is sent once
	rec := httptest.NewRecorder()
	m.Handler(visiting(t)).ServeHTTP(rec, r)
	wantBody(t, rec, "3")
	if got := c.Cookies("/"); len(got) != 1 || got[0].Value != r.Cookies()[0].Value {
		t.Errorf("Cookies: got %v, want those of the request, %v", got, r.Cookies())
	}
}

func TestClientJudgesCookies(t *testing.T) {
	for _, tt := range []struct{ name, from, cookie, to, want string }{
		{"kept", "/", "a=1", "/", "a=1"},
		{"Secure", "/", "a=1; Secure", "/", "a=1"},
		{"Secure, sent over plain http", "/", "a=1; Secure", "http://example.com/", ""},
		{"Secure, from plain http", "http://example.com/", "a=1; Secure", "/", ""},
		{"from plain http", "http://example.com/", "a=1", "/", "a=1"},
		{"removed", "/", "a=1; Max-Age=0", "/", ""},
		{"of another path", "/", "a=1; Path=/b", "/", ""},
		{"of its path", "/", "a=1; Path=/b", "/b/c", "a=1"},
		{"of another host", "/", "a=1", "https://example.org/", ""},
		{"of a domain", "/", "a=1; Domain=example.com", "https://shop.example.com/", "a=1"},
		{"__Host-", "/", "__Host-a=1; Secure; Path=/", "/", "__Host-a=1"},
		{"__Host- without Secure", "/", "__Host-a=1; Path=/", "/", ""},
		{"__Host- without a path", "/b", "__Host-a=1; Secure", "/b", ""},
		{"__host- with a domain", "/", "__host-a=1; Secure; Path=/; Domain=example.com", "/", ""},
		{"__Secure-", "/", "__Secure-a=1; Secure", "/", "__Secure-a=1"},
		{"__Secure- without Secure", "/", "__Secure-a=1", "/", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := sessiontest.NewClient(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Set-Cookie", tt.cookie)
			}))
			c.Get(tt.from)
			c.On(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if got := r.Header.Get("Cookie"); got != tt.want {
					t.Errorf("Cookie: got %q, want %q", got, tt.want)
				}
			})).Get(tt.to)
		})
	}
}

func TestClientOfManyGoroutines(t *testing.T) {
	const goroutines, each = 4, 10
	m, _ := sessiontest.New(t, nil)
	c := sessiontest.NewClient(m.Handler(visiting(t)))
	c.Get("/")
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				c.Get("/")
			}
		})
	}
	wg.Wait()
	wantBody(t, c.Get("/"), fmt.Sprint(goroutines*each+2))
}

// The caller keeps what was written before a panic.
func TestClientServe(t *testing.T) {
	c := sessiontest.NewClient(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "half")
		panic(http.ErrAbortHandler)
	}))
	w := httptest.NewRecorder()
	func() {
		defer func() { _ = recover() }()
		c.Serve(w, c.Request("GET", "/", nil))
	}()
	wantBody(t, w, "half")
}
