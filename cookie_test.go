package session_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/internal/signed"
	"github.com/lazysession/session/store/mem"
)

func TestCookieHeader(t *testing.T) {
	m, _ := fixture.NewManager(t, &session.Config{Keys: [][]byte{fixture.KeyA}})
	token, _ := fixture.Issue(t, m, "alice")
	ours := fixture.CookieName + "=" + token
	for _, tt := range []struct {
		name  string
		lines []string
		found bool
	}{
		{"no header", nil, false},
		{"empty", []string{""}, false},
		{"alone", []string{ours}, true},
		{"first", []string{ours + "; a=1; b=2"}, true},
		{"last", []string{"a=1; b=2; " + ours}, true},
		{"with a semicolon at the end", []string{ours + ";"}, true},
		{"without the space after the semicolon", []string{"a=1;" + ours}, true},
		{"between empty pairs", []string{";;; ;" + ours + ";;"}, true},
		{"between spaces and tabs", []string{" \t " + ours + " \t "}, true},
		{"in the second of two lines", []string{"a=1", ours}, true}, // RFC 9113, section 8.2.3
		{"one line for each cookie", []string{"a=1", "b=2", ours, "c=3"}, true},
		{"the same in two lines", []string{ours, ours}, true},
		{"past the 3,000th", []string{strings.Repeat("a=1; ", 5000) + ours}, true},
		{"past the 3,000th line", append(repeat("a=1", 5000), ours), true},
		{"after one of 100 KB", []string{"a=" + strings.Repeat("x", 100<<10) + "; " + ours}, true},
		{"after control bytes", []string{"a=\x00\x01\x7f\xff; \x02=\x03; " + ours}, true},
		{"after one without a name", []string{"=1; " + ours}, true},
		{"after one without =", []string{"a; " + ours}, true},
		{"after an unclosed quote", []string{`a="1; ` + ours}, true}, // RFC 6265bis, section 5.7: quotes have no meaning

		{"no =", []string{fixture.CookieName + token}, false},
		{"the name alone", []string{fixture.CookieName}, false},
		{"no value", []string{fixture.CookieName + "="}, false},
		{"no name", []string{"=" + token}, false},
		{"the pair as the value of a cookie without a name", []string{"=" + ours}, false},
		{"the pair inside another value", []string{"a=" + ours}, false},
		{"the name in upper case", []string{strings.ToUpper(fixture.CookieName) + "=" + token}, false},
		{"the name in lower case", []string{strings.ToLower(fixture.CookieName) + "=" + token}, false},
		{"without the prefix", []string{"session=" + token}, false},
		{"with more before the name", []string{"x" + ours}, false},
		{"with more behind the name", []string{fixture.CookieName + "x=" + token}, false},
		{"a space behind the name", []string{fixture.CookieName + " =" + token}, false}, // net/http trims it
		{"a tab behind the name", []string{fixture.CookieName + "\t=" + token}, false},
		{"another space before the name", []string{"\u00a0" + ours}, false},
		{"a NUL before the name", []string{"\x00" + ours}, false},
		{"a line end before the name", []string{"\n" + ours}, false},
		{"a comma instead of the semicolon", []string{"a=1, " + ours}, false},
		{"the value in quotes", []string{fixture.CookieName + `="` + token + `"`}, false},
		{"the name in quotes", []string{`"` + fixture.CookieName + `"=` + token}, false},
		{"two =", []string{fixture.CookieName + "==" + token}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, w := fixture.Read(m, tt.lines...)
			expect.Is(t, "reading", got.Err, nil)
			expect.Equal(t, "found", got.Who == "alice", tt.found)
			expect.Equal(t, "exists", got.Exists, tt.found)
			expect.Equal(t, "cookies set", len(w.Result().Cookies()), 0)
		})
	}
}

func repeat(s string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s
	}
	return all
}

// A request that reads one value finds the cookie, verifies its signature and asks the store. The limit is what this
// costs today, most of it in the HMAC: the test notices when it grows. Other cookies must not add to it.
func TestAllocationsOfReading(t *testing.T) {
	const most = 13
	m, err := session.New(mem.New(nil), &session.Config{Keys: [][]byte{fixture.KeyA}})
	expect.OK(t, err)
	defer m.Close()
	token, _ := fixture.Issue(t, m, "alice")

	idle := allocs(m.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})), "")
	reading := func(line string) float64 {
		return allocs(m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if name, err := fixture.Who.Get(r.Context()); name != "alice" || err != nil {
				t.Errorf("got %q, %v", name, err)
			}
		})), line) - idle
	}
	alone := reading(fixture.CookieName + "=" + token)
	if alone > most {
		t.Errorf("reading a value: got %v allocations, want at most %d", alone, most)
	}
	expect.Equal(t, "allocations among 1,000 other cookies",
		reading(strings.Repeat("a=1; ", 1000)+fixture.CookieName+"="+token), alone)
}

func allocs(h http.Handler, cookies string) float64 {
	r := httptest.NewRequest("GET", "https://example.com/", nil)
	r.Header.Set("Cookie", cookies)
	w := fixture.Discard{"Vary": {"Cookie"}}
	return testing.AllocsPerRun(100, func() { h.ServeHTTP(w, r) })
}

// The lines are compared byte by byte, since each attribute changes what a browser does.
func TestSetCookieLine(t *testing.T) {
	for _, tt := range []struct {
		name     string
		cookie   session.Cookie
		set, end string // with TOKEN for the token
	}{
		{
			"defaults", session.Cookie{},
			"__Host-session=TOKEN; Path=/; HttpOnly; Secure; SameSite=Lax",
			"__Host-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		}, {
			"for development", session.Cookie{Secure: session.InsecureForDevelopment},
			"session=TOKEN; Path=/; HttpOnly; SameSite=Lax",
			"session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
		}, {
			"a path", session.Cookie{Path: "/app"},
			"session=TOKEN; Path=/app; HttpOnly; Secure; SameSite=Lax",
			"session=; Path=/app; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		}, {
			"a domain", session.Cookie{Domain: "example.com"},
			"session=TOKEN; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax",
			"session=; Path=/; Domain=example.com; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		}, {
			"strict", session.Cookie{SameSite: http.SameSiteStrictMode},
			"__Host-session=TOKEN; Path=/; HttpOnly; Secure; SameSite=Strict",
			"__Host-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict",
		}, {
			"the mode that net/http calls its default", session.Cookie{SameSite: http.SameSiteDefaultMode},
			"__Host-session=TOKEN; Path=/; HttpOnly; Secure; SameSite=Lax",
			"__Host-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		}, {
			"embedded in other sites", session.Cookie{SameSite: http.SameSiteNoneMode, Partitioned: true},
			"__Host-session=TOKEN; Path=/; HttpOnly; Secure; SameSite=None; Partitioned",
			"__Host-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=None; Partitioned",
		}, {
			"persistent", session.Cookie{Persistent: true},
			"__Host-session=TOKEN; Path=/; Max-Age=86400; HttpOnly; Secure; SameSite=Lax",
			"__Host-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		}, {
			"a name of its own", session.Cookie{Name: "__Host-Http-sid"},
			"__Host-Http-sid=TOKEN; Path=/; HttpOnly; Secure; SameSite=Lax",
			"__Host-Http-sid=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // where no time passes, for Max-Age
				m, _ := fixture.NewManager(t, &session.Config{Cookie: tt.cookie})
				_, w := fixture.Write(t, m, "", "alice")
				line := w.Header().Get("Set-Cookie")
				pair, _, _ := strings.Cut(line, ";")
				_, token, _ := strings.Cut(pair, "=")
				expect.Equal(t, "Set-Cookie lines", len(w.Header()["Set-Cookie"]), 1)
				expect.Equal(t, "Set-Cookie of a new session", strings.ReplaceAll(line, "="+token+";", "=TOKEN;"), tt.set)

				w = httptest.NewRecorder()
				r := httptest.NewRequest("GET", "https://example.com/", nil)
				r.Header.Set("Cookie", pair)
				m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					expect.OK(t, session.FromContext(r.Context()).End())
				})).ServeHTTP(w, r)
				expect.Equal(t, "Set-Cookie of an ended session", w.Header().Get("Set-Cookie"), tt.end)
			})
		})
	}
}

// A browser would silently drop, change or never send back each of these cookies.
func TestCookiesThatNewRefuses(t *testing.T) {
	const insecure = session.InsecureForDevelopment
	for _, tt := range []struct {
		name   string
		cookie session.Cookie
		says   []string // what the error names
	}{
		{"__Host- with a domain", session.Cookie{Name: "__Host-sid", Domain: "example.com"},
			[]string{`"__Host-sid"`, "no Domain"}},
		{"__Host- with a path", session.Cookie{Name: "__Host-sid", Path: "/app"}, []string{`"__Host-sid"`, `Path "/"`}},
		{"__Host- insecure", session.Cookie{Name: "__Host-sid", Secure: insecure}, []string{`"__Host-sid"`, "Secure"}},
		{"__host- in lower case", session.Cookie{Name: "__host-sid", Path: "/app"}, []string{`"__host-sid"`}},
		{"__HOST- in upper case", session.Cookie{Name: "__HOST-sid", Domain: "example.com"}, []string{`"__HOST-sid"`}},
		{"the prefix alone", session.Cookie{Name: "__Host-", Path: "/app"}, []string{`"__Host-"`}},
		{"__Secure- insecure", session.Cookie{Name: "__Secure-sid", Secure: insecure}, []string{`"__Secure-sid"`, "Secure"}},
		{"__SeCuRe- insecure", session.Cookie{Name: "__SeCuRe-sid", Secure: insecure}, []string{`"__SeCuRe-sid"`}},
		{"__Http- insecure", session.Cookie{Name: "__Http-sid", Secure: insecure}, []string{`"__Http-sid"`, "Secure"}},
		{"__HTTP- insecure", session.Cookie{Name: "__HTTP-sid", Secure: insecure}, []string{`"__HTTP-sid"`}},
		{"__Host-Http- insecure", session.Cookie{Name: "__Host-Http-sid", Secure: insecure}, []string{`"__Host-Http-sid"`}},
		{"__Host-Http- with a path", session.Cookie{Name: "__Host-Http-sid", Path: "/app"}, []string{`"__Host-Http-sid"`}},
		{"__Host-Http- with a domain", session.Cookie{Name: "__host-http-sid", Domain: "example.com"},
			[]string{`"__host-http-sid"`}},

		{"a space in the name", session.Cookie{Name: "my session"}, []string{`"my session"`}},
		{"a space behind the name", session.Cookie{Name: "session "}, []string{`"session "`}},
		{"an = in the name", session.Cookie{Name: "a=b"}, []string{`"a=b"`}},
		{"a semicolon in the name", session.Cookie{Name: "a;b"}, []string{`"a;b"`}},
		{"a comma in the name", session.Cookie{Name: "a,b"}, []string{`"a,b"`}},
		{"quotes in the name", session.Cookie{Name: `a"b`}, []string{`"a\"b"`}},
		{"a line end in the name", session.Cookie{Name: "a\r\nb"}, []string{`"a\r\nb"`}},
		{"a NUL in the name", session.Cookie{Name: "a\x00"}, []string{`"a\x00"`}},
		{"a name that is not ASCII", session.Cookie{Name: "sitzüng"}, []string{`"sitzüng"`}},
		{"a name that is not UTF-8", session.Cookie{Name: "a\xff"}, []string{`"a\xff"`}},
		{"a name that leaves no room for the token", session.Cookie{Name: strings.Repeat("n", 4000)},
			[]string{"nnn", "4000 bytes", "3840"}},

		{"a path without its slash", session.Cookie{Path: "app"}, []string{`"app"`, "slash"}},
		{"a path that is a URL", session.Cookie{Path: "https://example.com/"}, []string{`"https://example.com/"`}},
		{"a semicolon in the path", session.Cookie{Path: "/a;b"}, []string{`"/a;b"`}},
		{"a line end in the path", session.Cookie{Path: "/a\r\nSet-Cookie: x=1"}, []string{`"/a\r\nSet-Cookie: x=1"`}},
		{"a space in the path", session.Cookie{Path: "/my app"}, []string{`"/my app"`, "%20"}},
		{"a query in the path", session.Cookie{Path: "/app?x"}, []string{`"/app?x"`}},
		{"a path that is not ASCII", session.Cookie{Path: "/über"}, []string{`"/über"`}},
		{"a path too long", session.Cookie{Path: "/" + strings.Repeat("p", 1024)}, []string{"/ppp", "1025 bytes", "1024"}},

		{"a domain with a scheme", session.Cookie{Domain: "https://example.com"}, []string{`"https://example.com"`}},
		{"a domain with a port", session.Cookie{Domain: "example.com:8080"}, []string{`"example.com:8080"`}},
		{"a domain with a wildcard", session.Cookie{Domain: "*.example.com"}, []string{`"*.example.com"`}},
		{"a domain with a space", session.Cookie{Domain: "example .com"}, []string{`"example .com"`}},
		{"a domain with a line end", session.Cookie{Domain: "example.com\r\n"}, []string{`"example.com\r\n"`}},
		{"a domain with a semicolon", session.Cookie{Domain: "example.com; Path=/"}, []string{`"example.com; Path=/"`}},
		{"a domain with a dot at its end", session.Cookie{Domain: "example.com."}, []string{`"example.com."`}},
		{"a domain with two dots", session.Cookie{Domain: "example..com"}, []string{`"example..com"`}},
		{"a domain of one dot", session.Cookie{Domain: "."}, []string{`"."`}},
		{"a domain in Unicode", session.Cookie{Domain: "bücher.example"}, []string{`"bücher.example"`}},
		{"an IPv6 address", session.Cookie{Domain: "::1"}, []string{`"::1"`}},
		{"a domain too long", session.Cookie{Domain: strings.Repeat("a.", 200) + "com"}, []string{`"a.a.`}},

		{"None insecure", session.Cookie{SameSite: http.SameSiteNoneMode, Secure: insecure},
			[]string{"SameSite=None", "Secure"}},
		{"Partitioned insecure", session.Cookie{Partitioned: true, Secure: insecure}, []string{"Partitioned", "Secure"}},
		{"an unknown SameSite", session.Cookie{SameSite: 9}, []string{"SameSite is 9"}},
		{"a negative SameSite", session.Cookie{SameSite: -1}, []string{"SameSite is -1"}},
		{"an unknown Secure", session.Cookie{Secure: 7}, []string{"Secure is 7"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := session.New(fixture.NewStore(), &session.Config{Keys: [][]byte{fixture.KeyA}, Cookie: tt.cookie})
			if err == nil {
				m.Close()
				t.Fatalf("New with %+v: got no error", tt.cookie)
			}
			for _, part := range append(tt.says, "session: cookie ") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q: want it to name %s", err, part)
				}
			}
			expect.Equal(t, "mistakes", strings.Count(err.Error(), "session: "), 1)
		})
	}
}

func TestCookiesThatNewAccepts(t *testing.T) {
	for _, c := range []session.Cookie{
		{Name: "__Secure-sid", Domain: "example.com", Path: "/app"},
		{Name: "__Http-sid", Domain: "example.com", Path: "/app"},
		{Name: "__Host-Http-sid"},
		{Name: "__HOST-sid"},
		{Name: "__Hostess", Secure: session.InsecureForDevelopment, Path: "/app"},
		{Name: "!#$%&'*+-.^_`|~"},
		{Name: strings.Repeat("n", 3840)},
		{Path: "/" + strings.Repeat("p", 1023)},
		{Path: "/a%20b/~c'(d),e=f:g@h!$&*+"},
		{Domain: ".example.com"},
		{Domain: "192.0.2.1"},
		{Domain: "xn--bcher-kva.example"},
	} {
		m, err := session.New(fixture.NewStore(), &session.Config{Keys: [][]byte{fixture.KeyA}, Cookie: c})
		if err != nil {
			t.Errorf("New with %+v: got %v, want no error", c, err)
			continue
		}
		_, w := fixture.Write(t, m, "", "alice")
		if len(w.Result().Cookies()) != 1 {
			t.Errorf("New with %+v: a new session's response has no cookie", c)
		}
		m.Close()
	}
}

func TestSecureCookieOverPlainHTTPIsLoggedOnce(t *testing.T) {
	for _, tt := range []struct {
		name   string
		url    string
		header http.Header
		secure session.SecurePolicy
		lines  int
	}{
		{"over TLS", "https://example.com/", nil, session.SecureAlways, 0},
		{"behind a proxy that says https", "http://example.com/", http.Header{"X-Forwarded-Proto": {"https"}},
			session.SecureAlways, 0},
		{"behind a proxy that says proto=https", "http://example.com/",
			http.Header{"Forwarded": {"for=192.0.2.1;proto=https"}}, session.SecureAlways, 0},
		{"over plain http", "http://example.com/", nil, session.SecureAlways, 1},
		{"for development", "http://example.com/", nil, session.InsecureForDevelopment, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log fixture.Logbook
			m, _ := fixture.NewManager(t, &session.Config{Logger: log.Logger(), Cookie: session.Cookie{Secure: tt.secure}})
			h := m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				expect.OK(t, fixture.Who.Set(r.Context(), "alice"))
			}))
			for range 3 {
				r := httptest.NewRequest("GET", tt.url, nil)
				for name, values := range tt.header {
					r.Header[name] = values
				}
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
			expect.Equal(t, "warnings", log.Count("level=WARN"), tt.lines)
			expect.Equal(t, "warnings that name the cure", log.Count("InsecureForDevelopment"), tt.lines)
		})
	}
}

// No header causes a panic or an error. It opens a session only if that session's token stands under the cookie's exact
// name. ALICE and BOB in the input become valid tokens.
func FuzzCookieHeader(f *testing.F) {
	for _, line := range []string{
		"", ";", "=", "a=b", "__Host-session", "__Host-session=", "__Host-session=ALICE", "a=b; __Host-session=ALICE; c=d",
		"__Host-session=ALICE; __Host-session=BOB", "__Host-session=ALICE; __Host-session=ALICE", "__Host-session =ALICE",
		"__Host-session= ALICE", "\t __Host-session=ALICE\t ", `__Host-session="ALICE"`, "__host-session=ALICE", "=ALICE",
		"__Host-session=.ALICE", "__Host-session=ALICE\r\n", "__Host-session=x; __Host-session=BOB", "x__Host-session=BOB",
		"__Host-session=ALICEBOB", "__Host-session=" + strings.Repeat("A", 300), "\x00=\xff; __Host-session=ALICE\x00",
		strings.Repeat("__Host-session=ALICE;", signed.MaxCandidates),
		strings.Repeat("__Host-session=ALICE;", signed.MaxCandidates+1),
	} {
		f.Add(line, "")
		f.Add("a=b", line)
	}
	m, _ := fixture.NewManager(f, &session.Config{Keys: [][]byte{fixture.KeyA}})
	alice, _ := fixture.Issue(f, m, "alice")
	bob, _ := fixture.Issue(f, m, "bob")
	tokens := strings.NewReplacer("ALICE", alice, "BOB", bob)

	f.Fuzz(func(t *testing.T, first, second string) {
		lines := []string{tokens.Replace(first), tokens.Replace(second)}
		got, _ := fixture.Read(m, lines...)
		expect.Is(t, "reading", got.Err, nil)

		values := underTheName(lines)
		hasAlice, hasBob := contains(values, alice), contains(values, bob)
		switch {
		case hasAlice && hasBob, len(values) > signed.MaxCandidates:
			expect.Equal(t, "who, with two tokens or too many", got.Who, "")
		case got.Who == "alice":
			expect.Equal(t, "alice's token stands under the name", hasAlice || resembles(values, alice), true)
		case got.Who == "bob":
			expect.Equal(t, "bob's token stands under the name", hasBob || resembles(values, bob), true)
		case hasAlice && !resembles(values, bob), hasBob && !resembles(values, alice):
			t.Errorf("a valid token stands alone in %q, and was not found", lines)
		}
	})
}

var ourPair = regexp.MustCompile(`(?:^|;)[ \t]*` + regexp.QuoteMeta(fixture.CookieName) + `=([^;]*)`)

// underTheName is the naive model of what the Cookie header says (RFC 6265bis, section 4.2.1).
func underTheName(lines []string) (values []string) {
	for _, line := range lines {
		for _, match := range ourPair.FindAllStringSubmatch(line, -1) {
			values = append(values, strings.TrimRight(match[1], " \t"))
		}
	}
	return values
}

func contains(values []string, token string) bool {
	for _, v := range values {
		if v == token {
			return true
		}
	}
	return false
}

// resembles reports whether a value is the token but for the slack of base64: line ends, and the last character.
func resembles(values []string, token string) bool {
	for _, v := range values {
		v = strings.NewReplacer("\r", "", "\n", "").Replace(v)
		if len(v) == len(token) && v[:len(v)-2] == token[:len(token)-2] {
			return true
		}
	}
	return false
}
