package session_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/store/mem"
)

var proxies = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("::1/128"),
}

func newAuto(t *testing.T, c session.Cookie) *session.Manager {
	t.Helper()
	c.Secure = session.SecureAuto
	return fixture.NewManagerOn(t, mem.New(nil), &session.Config{Cookie: c, TrustedProxies: proxies})
}

// A way is how a request comes to the server.
type way struct {
	tls   bool
	peer  string
	proto []string // lines of X-Forwarded-Proto
}

var (
	overTLS  = way{tls: true, peer: "192.0.2.1:1234"}
	overHTTP = way{peer: "192.0.2.1:1234"}
)

// request returns a request with the given cookies.
func (w way) request(cookies ...*http.Cookie) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = w.peer
	if w.tls {
		r.TLS = new(tls.ConnectionState)
	}
	if w.proto != nil {
		r.Header["X-Forwarded-Proto"] = w.proto
	}
	for _, c := range cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	return r
}

// serve lets a handler's body answer a request that comes this way, and returns the cookies of the response.
func (w way) serve(m *session.Manager, do func(ctx context.Context), cookies ...*http.Cookie) []*http.Cookie {
	rec := httptest.NewRecorder()
	h := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { do(r.Context()) }))
	h.ServeHTTP(rec, w.request(cookies...))
	return rec.Result().Cookies()
}

func (w way) makeSession(t *testing.T, m *session.Manager, name string) *http.Cookie {
	t.Helper()
	cookies := w.serve(m, func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, name)) })
	if len(cookies) != 1 {
		t.Fatalf("cookies: got %v, want one", cookies)
	}
	return cookies[0]
}

func TestSecureAutoFollowsTheRequest(t *testing.T) {
	for _, tt := range []struct {
		name   string
		way    way
		secure bool
	}{
		{"over TLS", overTLS, true},
		{"over TLS, whatever a header says", way{tls: true, peer: "10.1.2.3:80", proto: []string{"http"}}, true},
		{"over plain http", overHTTP, false},
		{"through a trusted proxy", way{peer: "10.1.2.3:80", proto: []string{"https"}}, true},
		{"in capitals", way{peer: "10.1.2.3:80", proto: []string{"HTTPS"}}, true},
		{"through a trusted proxy, over plain http", way{peer: "10.1.2.3:80", proto: []string{"http"}}, false},
		{"through a trusted proxy that says nothing", way{peer: "10.1.2.3:80"}, false},
		{"a client's claim before the proxy's word", way{peer: "10.1.2.3:80", proto: []string{"https, http"}}, false},
		{"a client's claim in a line before", way{peer: "10.1.2.3:80", proto: []string{"https", "http"}}, false},
		{"the proxy's word after another", way{peer: "10.1.2.3:80", proto: []string{"http,https"}}, true},
		{"from a stranger", way{peer: "192.0.2.1:80", proto: []string{"https"}}, false},
		{"IPv6", way{peer: "[::1]:80", proto: []string{"https"}}, true},
		{"IPv6 with a zone", way{peer: "[fe80::1%eth0]:80", proto: []string{"https"}}, true},
		{"IPv4 on a socket of IPv6", way{peer: "[::ffff:10.1.2.3]:80", proto: []string{"https"}}, true},
		{"a Unix socket", way{peer: "@", proto: []string{"https"}}, false},
		{"no address", way{proto: []string{"https"}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newAuto(t, session.Cookie{})
			c := tt.way.makeSession(t, m, "ann")
			want := "session"
			if tt.secure {
				want = "__Host-session"
			}
			expect.Equal(t, "Secure", c.Secure, tt.secure)
			expect.Equal(t, "name", c.Name, want)
			expect.Equal(t, "HttpOnly", c.HttpOnly, true)
			tt.way.serve(m, func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann") }, c)
			gone := tt.way.serve(m, func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).End()) }, c)
			removed := len(gone) == 1 && gone[0].Name == want && gone[0].MaxAge < 0 && gone[0].Secure == tt.secure
			expect.Equal(t, "removed", removed, true)
		})
	}
}

// Each side reads only its own cookie. An attacker on a plain connection reads and sets cookies that are not Secure,
// but these have no effect on sessions over TLS.
func TestSecureAutoKeepsTheSidesApart(t *testing.T) {
	m := newAuto(t, session.Cookie{})
	planted := overHTTP.makeSession(t, m, "mallory")
	safe := overTLS.makeSession(t, m, "ann")
	for _, tt := range []struct {
		name    string
		way     way
		cookies []*http.Cookie
		want    string
	}{
		{"planted, over TLS", overTLS, []*http.Cookie{planted}, ""},
		{"planted beside the other, over TLS", overTLS, []*http.Cookie{planted, safe}, "ann"},
		{"both, over plain http", overHTTP, []*http.Cookie{planted, safe}, "mallory"},
		{"the prefixed one, over plain http", overHTTP, []*http.Cookie{safe}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.way.serve(m, func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, tt.want) }, tt.cookies...)
		})
	}
	renewed := overTLS.serve(m, func(ctx context.Context) {
		expect.OK(t, session.FromContext(ctx).Renew())
	}, planted, safe)
	expect.Equal(t, "cookies", len(renewed), 1)
	expect.Equal(t, "name", renewed[0].Name, "__Host-session")
}

func TestSecureAutoNames(t *testing.T) {
	for _, tt := range []struct {
		cookie          session.Cookie
		secure, inClear string
	}{
		{session.Cookie{}, "__Host-session", "session"},
		{session.Cookie{Name: "sid"}, "__Host-sid", "sid"},
		{session.Cookie{Path: "/shop"}, "__Secure-session", "session"},
		{session.Cookie{Domain: "example.com"}, "__Secure-session", "session"},
	} {
		m := newAuto(t, tt.cookie)
		expect.Equal(t, "name over TLS", overTLS.makeSession(t, m, "ann").Name, tt.secure)
		expect.Equal(t, "name over plain http", overHTTP.makeSession(t, m, "ann").Name, tt.inClear)
	}
}

// A site that changes to SecureAuto keeps the sessions of all visitors over TLS.
func TestSecureAutoKnowsTheTokensOfSecureAlways(t *testing.T) {
	s := fixture.NewStore()
	always := fixture.NewManagerOn(t, s, nil)
	auto := fixture.NewManagerOn(t, s, &session.Config{Cookie: session.Cookie{Secure: session.SecureAuto}})
	for _, managers := range [][2]*session.Manager{{always, auto}, {auto, always}} {
		c := overTLS.makeSession(t, managers[0], "ann")
		overTLS.serve(managers[1], func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann") }, c)
	}
}

func TestSecureAutoIsDecidedBeforeTheHandler(t *testing.T) {
	m := newAuto(t, session.Cookie{})
	rec := httptest.NewRecorder()
	m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = "192.0.2.1:80" // middleware inside may set it to the visitor's address
		r.Header.Del("X-Forwarded-Proto")
		expect.OK(t, fixture.User.Set(r.Context(), "ann"))
	})).ServeHTTP(rec, way{peer: "10.1.2.3:80", proto: []string{"https"}}.request())
	expect.Equal(t, "name", rec.Result().Cookies()[0].Name, "__Host-session")
}

func TestSecureAutoWarnsOfAProxyThatIsNotNamed(t *testing.T) {
	var log fixture.Logbook
	m := fixture.NewManagerOn(t, mem.New(nil), &session.Config{
		Cookie: session.Cookie{Secure: session.SecureAuto}, TrustedProxies: proxies, Logger: log.Logger(),
	})
	overHTTP.makeSession(t, m, "ann")
	overTLS.makeSession(t, m, "ann")
	way{peer: "10.1.2.3:80", proto: []string{"https"}}.makeSession(t, m, "ann")
	expect.Equal(t, "warnings where all is as configured", log.Count("level=WARN"), 0)
	for range 2 {
		way{peer: "@", proto: []string{"https"}}.makeSession(t, m, "ann")
	}
	expect.Equal(t, "warnings", log.Count("TrustedProxies"), 1)
	expect.Equal(t, "warnings that name the peer", log.Count("peer=@"), 1)
}

func TestNewTellsMistakesWithSecureAuto(t *testing.T) {
	auto := func(c session.Cookie) *session.Config {
		c.Secure = session.SecureAuto
		return &session.Config{Cookie: c}
	}
	for _, tt := range []struct {
		name string
		cfg  *session.Config
		says string
	}{
		{"a name with a prefix", auto(session.Cookie{Name: "__Host-sid"}),
			`cookie name "__Host-sid": SecureAuto puts the prefix before it`},
		{"a name too long with its prefix", auto(session.Cookie{Name: strings.Repeat("x", 3840-6)}),
			"has 3841 bytes: want at most 3840"},
		{"SameSite=None", auto(session.Cookie{SameSite: http.SameSiteNoneMode}), "SameSite=None needs Secure"},
		{"Partitioned", auto(session.Cookie{Partitioned: true}), "Partitioned needs Secure"},
		{"a proxy that is none", &session.Config{TrustedProxies: make([]netip.Prefix, 1)}, "TrustedProxies[0] is no prefix"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := session.New(mem.New(nil), tt.cfg)
			expect.Text(t, err, tt.says)
		})
	}
}

// A token that was read on a plain connection opens no session over TLS.
func TestSecureAutoTokenReadInTheClear(t *testing.T) {
	m := newAuto(t, session.Cookie{})
	seen := overHTTP.makeSession(t, m, "ann")
	stolen := &http.Cookie{Name: "__Host-session", Value: seen.Value}
	overTLS.serve(m, func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "") }, stolen)
}

func TestTrustedProxyMapped(t *testing.T) {
	m, err := session.New(fixture.NewStore(), &session.Config{
		Keys:           [][]byte{make([]byte, 32)},
		Cookie:         session.Cookie{Secure: session.SecureAuto},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")},
	})
	if err != nil {
		return // told
	}
	defer m.Close()
	r := httptest.NewRequest("GET", "http://example.com/", nil)
	r.RemoteAddr = "10.1.2.3:5"
	r.Header.Set("X-Forwarded-Proto", "https")
	w := httptest.NewRecorder()
	m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fixture.User.Set(r.Context(), "x")
	})).ServeHTTP(w, r)
	if !w.Result().Cookies()[0].Secure {
		t.Error("a prefix in IPv4-mapped form is taken by New and never matches")
	}
}
