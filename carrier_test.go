package session_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
)

func withHeader(name string, values ...string) *http.Request {
	r := httptest.NewRequest("GET", "https://example.com/", nil)
	r.Header[name] = values
	return r
}

func TestBearerHeaderIn(t *testing.T) {
	m, _ := fixture.NewManager(t, &session.Config{Keys: [][]byte{fixture.KeyA}, Carrier: session.BearerHeader()})
	token, _ := fixture.Issue(t, m, "alice")
	other, _ := fixture.Issue(t, m, "bob")
	for _, tt := range []struct {
		name string
		r    *http.Request
		who  string
	}{
		{"Bearer", withHeader("Authorization", "Bearer "+token), "alice"},
		{"bearer", withHeader("Authorization", "bearer "+token), "alice"},
		{"BEARER", withHeader("Authorization", "BEARER "+token), "alice"},
		{"several spaces", withHeader("Authorization", "Bearer    "+token), "alice"},
		{"the same twice", withHeader("Authorization", "Bearer "+token, "Bearer "+token), "alice"},
		{"beside another scheme", withHeader("Authorization", "Basic YTpi", "Bearer "+token), "alice"},
		{"two different ones", withHeader("Authorization", "Bearer "+token, "Bearer "+other), ""},
		{"another scheme", withHeader("Authorization", "Basic "+token), ""},
		{"a longer scheme", withHeader("Authorization", "BearerX "+token), ""},
		{"no scheme", withHeader("Authorization", token), ""},
		{"no token", withHeader("Authorization", "Bearer"), ""},
		{"an empty token", withHeader("Authorization", "Bearer "), ""},
		{"somebody else's bearer token", withHeader("Authorization", "Bearer eyJhbGciOiJub25lIn0.e30."), ""},
		{"the cookie", withHeader("Cookie", fixture.CookieName+"="+token), ""},
		{"the response's header", withHeader(session.TokenHeader, token), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, w := fixture.ReadRequest(m, tt.r)
			expect.Is(t, "reading", got.Err, nil)
			expect.Equal(t, "who", got.Who, tt.who)
			expect.Equal(t, "Vary", w.Header().Get("Vary"), "Authorization")
			expect.Equal(t, "tokens sent", len(w.Header()[session.TokenHeader]), 0)
			expect.Equal(t, "cookies set", len(w.Header()["Set-Cookie"]), 0)
		})
	}
}

// A login and a logout, as an API client sees them.
func TestBearerHeaderOut(t *testing.T) {
	m, _ := fixture.NewManager(t, &session.Config{Carrier: session.BearerHeader()})
	serve := func(token string, f func(*http.Request)) http.Header {
		w := httptest.NewRecorder()
		m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(r) })).
			ServeHTTP(w, withHeader("Authorization", "Bearer "+token))
		expect.Equal(t, "cookies set", len(w.Header()["Set-Cookie"]), 0)
		expect.Equal(t, "Vary", w.Header().Get("Vary"), "Authorization")
		return w.Header()
	}

	h := serve("", func(r *http.Request) { expect.OK(t, fixture.Who.Set(r.Context(), "alice")) })
	token := h.Get(session.TokenHeader)
	expect.Equal(t, "Cache-Control of the response with the token", h.Get("Cache-Control"), "private")

	var got string
	h = serve(token, func(r *http.Request) { got, _ = fixture.Who.Get(r.Context()) })
	expect.Equal(t, "who", got, "alice")
	expect.Equal(t, "tokens sent to who has one", len(h[session.TokenHeader]), 0)

	h = serve(token, func(r *http.Request) { expect.OK(t, session.FromContext(r.Context()).Renew()) })
	renewed := h.Get(session.TokenHeader)
	expect.Equal(t, "the renewed token is another", renewed != "" && renewed != token, true)

	h = serve(renewed, func(r *http.Request) { expect.OK(t, session.FromContext(r.Context()).End()) })
	values := h[session.TokenHeader]
	expect.Equal(t, "an ended session's header is there, and empty", len(values) == 1 && values[0] == "", true)
}

func TestBearerHeaderIsNotWarnedOfOverPlainHTTP(t *testing.T) {
	var log fixture.Logbook
	m, _ := fixture.NewManager(t, &session.Config{Carrier: session.BearerHeader(), Logger: log.Logger()})
	m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		expect.OK(t, fixture.Who.Set(r.Context(), "alice"))
	})).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://example.com/", nil))
	expect.Equal(t, "log", log.String(), "")
}

// A queryCarrier carries the token in the URL's query, as an application might do it for downloads.
type queryCarrier struct{}

func (queryCarrier) AppendTokens(dst []string, r *http.Request) []string {
	return append(dst, r.URL.Query()["token"]...)
}

func (queryCarrier) Send(h http.Header, token string, maxAge time.Duration) {
	h.Set("X-Token", token)
	h.Set("X-Max-Age", maxAge.String())
}

func (queryCarrier) Remove(h http.Header) { h.Set("X-Token", "gone") }

func (queryCarrier) Vary() string { return "X-Nothing" }

func TestCustomCarrier(t *testing.T) {
	m, _ := fixture.NewManager(t, &session.Config{
		Carrier:  queryCarrier{},
		Cookie:   session.Cookie{Persistent: true},
		Lifetime: time.Hour,
	})
	serve := func(query string, f func(*http.Request)) http.Header {
		w := httptest.NewRecorder()
		m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(r) })).
			ServeHTTP(w, httptest.NewRequest("GET", "https://example.com/?"+query, nil))
		return w.Header()
	}
	h := serve("", func(r *http.Request) { expect.OK(t, fixture.Who.Set(r.Context(), "alice")) })
	token := h.Get("X-Token")
	expect.Equal(t, "Vary", h.Get("Vary"), "X-Nothing")
	age, err := time.ParseDuration(h.Get("X-Max-Age"))
	expect.OK(t, err)
	if age > time.Hour || age < time.Hour-time.Minute {
		t.Errorf("maxAge: got %v, want the lifetime of an hour", age)
	}

	got := ""
	reads := func(r *http.Request) { got, _ = fixture.Who.Get(r.Context()) }
	serve("token="+token, reads)
	expect.Equal(t, "who", got, "alice")
	serve("token="+token+"&token="+token, reads)
	expect.Equal(t, "who, with the same token twice", got, "alice")
	serve("token=forged", reads)
	expect.Equal(t, "who, with a forged token", got, "")
	h = serve("token="+token, func(r *http.Request) { expect.OK(t, session.FromContext(r.Context()).End()) })
	expect.Equal(t, "what Remove sends", h.Get("X-Token"), "gone")
}
