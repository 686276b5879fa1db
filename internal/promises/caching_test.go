package promises_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
)

func TestVary(t *testing.T) {
	tests := []struct {
		name    string
		handler []string
		want    []string
	}{
		{"none", nil, []string{"Cookie"}},
		{"another", []string{"Accept"}, []string{"Accept", "Cookie"}},
		{"there already", []string{"Cookie"}, []string{"Cookie"}},
		{"in another case", []string{"cOOKIE"}, []string{"cOOKIE"}},
		{"in a list", []string{"Accept, cookie , Origin"}, []string{"Accept, cookie , Origin"}},
		{"in the second line", []string{"Accept", "Origin,Cookie"}, []string{"Accept", "Origin,Cookie"}},
		{"everything", []string{"*"}, []string{"*"}},
		{"everything, in a list", []string{"Accept, *"}, []string{"Accept, *"}},
		{"a longer name", []string{"Cookies"}, []string{"Cookies", "Cookie"}},
		{"an empty line", []string{""}, []string{"", "Cookie"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, _ := fixture.NewManager(t, nil)
			w := sessiontest.NewClient(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header()["Vary"] = slices.Clone(test.handler)
				fixture.Color.Get(r.Context())
			}))).Get("/")
			expect.Lines(t, "Vary", w.Header()["Vary"], test.want)
		})
	}
}

// mute is a carrier that reads no header.
type mute struct{ session.Carrier }

func (mute) Vary() string { return "" }

func TestVaryNamesWhatTheCarrierReads(t *testing.T) {
	tests := []struct {
		name    string
		carrier session.Carrier
		want    []string
	}{
		{"cookie", nil, []string{"Cookie"}},
		{"bearer", session.BearerHeader(), []string{"Authorization"}},
		{"no header", mute{session.BearerHeader()}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, _ := fixture.NewManager(t, &session.Config{Carrier: test.carrier})
			w := sessiontest.NewClient(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				expect.OK(t, fixture.Color.Set(r.Context(), "red"))
			}))).Get("/")
			expect.Lines(t, "Vary", w.Header()["Vary"], test.want)
		})
	}
}

func TestCachingFollowsTheUse(t *testing.T) {
	const public = "public, max-age=60"
	tests := []struct {
		name         string
		use          func(t *testing.T, r *http.Request)
		vary         []string
		cacheControl string
		cookies      int
	}{
		{"not used", func(*testing.T, *http.Request) {}, nil, public, 0},
		{"only asked for", func(t *testing.T, r *http.Request) { session.FromContext(r.Context()) }, nil, public, 0},
		{"read", func(t *testing.T, r *http.Request) { fixture.Color.Get(r.Context()) }, []string{"Cookie"}, public, 0},
		{"asked whether it exists", func(t *testing.T, r *http.Request) { session.FromContext(r.Context()).Exists() },
			[]string{"Cookie"}, public, 0},
		{"changed", func(t *testing.T, r *http.Request) { expect.OK(t, fixture.Color.Set(r.Context(), "blue")) },
			[]string{"Cookie"}, public, 0},
		{"renewed", func(t *testing.T, r *http.Request) { expect.OK(t, session.FromContext(r.Context()).Renew()) },
			[]string{"Cookie"}, "max-age=60, private", 1},
		{"ended", func(t *testing.T, r *http.Request) { expect.OK(t, session.FromContext(r.Context()).End()) },
			[]string{"Cookie"}, "max-age=60, private", 1},
		{"persisted", func(t *testing.T, r *http.Request) { expect.OK(t, session.FromContext(r.Context()).Persist(true)) },
			[]string{"Cookie"}, "max-age=60, private", 1},
		{"given another lifetime", func(t *testing.T, r *http.Request) {
			expect.OK(t, session.FromContext(r.Context()).SetLifetime(time.Hour))
		},
			[]string{"Cookie"}, "max-age=60, private", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, _ := fixture.NewManager(t, nil)
			c := fixture.NewVisitorWith(t, m, "red")
			w := c.Meet(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", public)
				test.use(t, r)
			}).Get("/")
			expect.Lines(t, "Vary", w.Header()["Vary"], test.vary)
			expect.Equal(t, "Cache-Control", w.Header().Get("Cache-Control"), test.cacheControl)
			expect.Equal(t, "number of cookies", len(w.Result().Cookies()), test.cookies)
		})
	}
}

func TestResponseWithTokenIsNotShared(t *testing.T) {
	type headers map[string][]string
	tests := []struct {
		name    string
		handler headers
		want    headers
	}{
		{"nothing said", headers{}, headers{"Cache-Control": {"private"}}},
		{"public", headers{"Cache-Control": {"public"}}, headers{"Cache-Control": {"private"}}},
		{"Public", headers{"Cache-Control": {"Public, max-age=60"}}, headers{"Cache-Control": {"max-age=60, private"}}},
		{"s-maxage", headers{"Cache-Control": {"s-maxage=600,max-age=60"}},
			headers{"Cache-Control": {"max-age=60, private"}}},
		{"private", headers{"Cache-Control": {"max-age=60, private"}}, headers{"Cache-Control": {"max-age=60, private"}}},
		{"PRIVATE", headers{"Cache-Control": {"PRIVATE"}}, headers{"Cache-Control": {"PRIVATE"}}},
		{"private for one header", headers{"Cache-Control": {`private="x-name"`}},
			headers{"Cache-Control": {`private="x-name", private`}}},
		{"private for two headers", headers{"Cache-Control": {`private="x-a, x-b"`}},
			headers{"Cache-Control": {`private="x-a, x-b", private`}}},
		{"no-store", headers{"Cache-Control": {"no-store"}}, headers{"Cache-Control": {"no-store"}}},
		{"no-store and public", headers{"Cache-Control": {"public, no-store"}}, headers{"Cache-Control": {"no-store"}}},
		{"no-cache is not enough", headers{"Cache-Control": {"no-cache"}}, headers{"Cache-Control": {"no-cache, private"}}},
		{"two lines", headers{"Cache-Control": {"max-age=60", "public, immutable"}},
			headers{"Cache-Control": {"max-age=60, immutable, private"}}},
		{"empty parts", headers{"Cache-Control": {",, max-age=60 ,"}}, headers{"Cache-Control": {"max-age=60, private"}}},
		{"a CDN's own", headers{"Cdn-Cache-Control": {"max-age=600"}}, headers{"Cache-Control": {"private"}}},
		{"one CDN's own", headers{"Cloudflare-Cdn-Cache-Control": {"max-age=600"}}, headers{"Cache-Control": {"private"}}},
		{"its forerunner", headers{"Surrogate-Control": {"max-age=600"}}, headers{"Cache-Control": {"private"}}},
		{"nginx's", headers{"X-Accel-Expires": {"600"}}, headers{"Cache-Control": {"private"}}},
		{"Akamai's", headers{"Edge-Control": {"max-age=600"}}, headers{"Cache-Control": {"private"}}},
	}
	named := []string{
		"Cache-Control", "Cdn-Cache-Control", "Cloudflare-Cdn-Cache-Control", "Surrogate-Control", "X-Accel-Expires",
		"Edge-Control",
	}
	tokens := map[string]func(*http.Request) error{
		"new":     func(r *http.Request) error { return fixture.Color.Set(r.Context(), "red") },
		"removed": func(r *http.Request) error { return session.FromContext(r.Context()).End() },
	}
	for _, test := range tests {
		for token, use := range tokens {
			t.Run(test.name+"/"+token, func(t *testing.T) {
				m, _ := fixture.NewManager(t, nil)
				c := fixture.NewVisitor(t, m)
				if token == "removed" {
					c = fixture.NewVisitorWith(t, m, "red")
				}
				w := c.Meet(func(w http.ResponseWriter, r *http.Request) {
					for name, lines := range test.handler {
						w.Header()[name] = slices.Clone(lines)
					}
					expect.OK(t, use(r))
				}).Get("/")
				expect.Equal(t, "number of cookies", len(w.Result().Cookies()), 1)
				for _, name := range named {
					expect.Lines(t, name, w.Header()[name], test.want[name])
				}
			})
		}
	}
}
