package session_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/signed"
	"github.com/lazysession/session/store"
)

var who = session.NewKey[string]("who")

const cookieName = "__Host-session"

var (
	keyA = []byte("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	keyB = []byte("BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB")
)

// issue makes a session in which who is name, and returns its signed token.
func issue(t testing.TB, m *session.Manager, name string) (token string, s *session.Session) {
	t.Helper()
	s, err := m.Create(context.Background())
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	must(t, who.Set(session.NewContext(context.Background(), s), name))
	must(t, s.Commit(context.Background()))
	token, err = s.Token()
	must(t, err)
	return token, s
}

// sign signs anything the way the Manager signs tokens, for a cookie of another name, say, or with a foreign key.
func sign(t testing.TB, key []byte, name string, raw []byte) string {
	t.Helper()
	codec := securecookie.New(key, nil).SetSerializer(securecookie.NopEncoder{})
	signed, err := codec.Encode(name, raw)
	must(t, err)
	return signed
}

// rawOf returns the secret in a signed token.
func rawOf(t testing.TB, key []byte, name, signed string) []byte {
	t.Helper()
	codec := securecookie.New(key, nil).SetSerializer(securecookie.NopEncoder{})
	var raw []byte
	must(t, codec.Decode(name, signed, &raw))
	return raw
}

// A reading is what one request sees of its session.
type reading struct {
	who    string
	exists bool
	id     session.ID
	err    error
}

var nothing = reading{}

// read serves a request with these Cookie header lines and returns what it saw, and the response.
func read(m *session.Manager, lines ...string) (reading, *httptest.ResponseRecorder) {
	r := httptest.NewRequest("GET", "https://example.com/", nil)
	if len(lines) > 0 {
		r.Header["Cookie"] = lines
	}
	return readRequest(m, r)
}

func readRequest(m *session.Manager, r *http.Request) (got reading, w *httptest.ResponseRecorder) {
	w = httptest.NewRecorder()
	m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got.who, got.err = who.Get(r.Context())
		if got.err == nil {
			got.exists, got.err = session.FromContext(r.Context()).Exists()
		}
		got.id = session.FromContext(r.Context()).ID()
	})).ServeHTTP(w, r)
	return got, w
}

// write serves a request that sets who, and returns the session's ID and the response.
func write(t testing.TB, m *session.Manager, line, name string) (id session.ID, w *httptest.ResponseRecorder) {
	t.Helper()
	w = httptest.NewRecorder()
	r := httptest.NewRequest("GET", "https://example.com/", nil)
	r.Header.Set("Cookie", line)
	m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		must(t, who.Set(r.Context(), name))
		id = session.FromContext(r.Context()).ID()
	})).ServeHTTP(w, r)
	return id, w
}

// sentToken returns the token in the response's session cookie, empty where there is none.
func sentToken(w *httptest.ResponseRecorder, name string) string {
	for _, c := range w.Result().Cookies() {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func TestRefusedTokensAreNoSession(t *testing.T) {
	for _, tt := range []struct {
		name  string
		token func(t *testing.T, m *session.Manager, s *spy) string
		loads int64 // only what the Manager has signed may reach the store
	}{
		{"empty", func(*testing.T, *session.Manager, *spy) string { return "" }, 0},
		{"garbage", func(*testing.T, *session.Manager, *spy) string { return "AAAAAAAAAAAAAAAAAAAA" }, 0},
		{"garbage of 100 KB", func(*testing.T, *session.Manager, *spy) string { return strings.Repeat("A", 100<<10) }, 0},
		{"only the mark of ageless tokens", func(*testing.T, *session.Manager, *spy) string { return "." }, 0},
		{"without its last character", edited(func(s string) string { return s[:len(s)-1] }), 0},
		{"half of one", edited(func(s string) string { return s[:len(s)/2] }), 0},
		{"with its first character changed", edited(func(s string) string { return "X" + s[1:] }), 0},
		{"twice in a row", edited(func(s string) string { return s + s }), 0},
		{"in quotes", edited(func(s string) string { return `"` + s + `"` }), 0},
		{"followed by garbage", edited(func(s string) string { return s + strings.Repeat("=", 300) }), 0},
		{"aged, made ageless by its mark", edited(func(s string) string { return "." + s }), 0},
		{"aged, with two marks", edited(func(s string) string { return ".." + s }), 0},
		{"signed with a foreign key", func(t *testing.T, m *session.Manager, _ *spy) string {
			token, _ := issue(t, m, "alice")
			return sign(t, keyB, cookieName, rawOf(t, keyA, cookieName, token))
		}, 0},
		{"signed for another cookie's name", func(t *testing.T, m *session.Manager, _ *spy) string {
			token, _ := issue(t, m, "alice")
			return sign(t, keyA, "session", rawOf(t, keyA, cookieName, token))
		}, 0},
		{"signed for a name that begins with the mark", func(t *testing.T, m *session.Manager, _ *spy) string {
			token, _ := issue(t, m, "alice")
			return "." + sign(t, keyA, "."+cookieName, rawOf(t, keyA, cookieName, token))
		}, 0},
		{"signed, but 31 bytes", func(t *testing.T, _ *session.Manager, _ *spy) string {
			return sign(t, keyA, cookieName, make([]byte, 31))
		}, 0},
		{"signed, but 33 bytes", func(t *testing.T, _ *session.Manager, _ *spy) string {
			return sign(t, keyA, cookieName, make([]byte, 33))
		}, 0},
		{"signed, but empty", func(t *testing.T, _ *session.Manager, _ *spy) string {
			return sign(t, keyA, cookieName, nil)
		}, 0},
		{"signed, but unknown to the store", func(t *testing.T, _ *session.Manager, _ *spy) string {
			return sign(t, keyA, cookieName, make([]byte, 32))
		}, 1},
		{"the ID of a session, signed", func(t *testing.T, m *session.Manager, _ *spy) string {
			_, s := issue(t, m, "alice")
			id := s.ID()
			return sign(t, keyA, cookieName, append(id[:], id[:]...))
		}, 1},
		{"of a session that was idle for too long", func(t *testing.T, m *session.Manager, s *spy) string {
			token, _ := issue(t, m, "alice")
			s.advance(31 * time.Minute)
			return token
		}, 1},
		{"of a session that has ended", func(t *testing.T, m *session.Manager, s *spy) string {
			token, alice := issue(t, m, "alice")
			must(t, m.End(context.Background(), alice.ID()))
			return token
		}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log logbook
			m, s := newManager(t, &session.Config{Keys: [][]byte{keyA}, Logger: log.logger()})
			token := tt.token(t, m, s)
			s.take()

			got, w := read(m, cookieName+"="+token)
			check(t, "the request's reading", got, nothing)
			check(t, "store calls", s.take(), calls{loads: tt.loads})
			check(t, "cookies set", len(w.Result().Cookies()), 0)
			check(t, "log lines", log.count(""), 1)
			check(t, "debug lines", log.count("level=DEBUG"), 1)
			if len(token) > 10 && strings.Contains(log.String(), token[5:10]) {
				t.Errorf("log: the token %q is in %q", token, log.String())
			}

			id, w := write(t, m, cookieName+"="+token, "mallory")
			fresh := sentToken(w, cookieName)
			if id.IsZero() || fresh == "" || fresh == token {
				t.Errorf("a write made session %v with token %q: want a new session with a token of its own", id, fresh)
			}
			change := s.lastChange()
			check(t, "commits that create", change.Created, true)
			check(t, "store calls of the write", s.take(), calls{loads: tt.loads, commits: 1})
			got, _ = read(m, cookieName+"="+fresh)
			check(t, "who is in the new session", got, reading{who: "mallory", exists: true, id: id})
		})
	}
}

func edited(edit func(string) string) func(*testing.T, *session.Manager, *spy) string {
	return func(t *testing.T, m *session.Manager, _ *spy) string {
		token, _ := issue(t, m, "alice")
		return edit(token)
	}
}

// Base64 has slack in its last character and skips line ends, so that a few edits of a token still verify, with the
// same value. What may never happen is that an edit opens another session.
func TestNoEditOfATokenOpensAnotherSession(t *testing.T) {
	m, _ := newManager(t, &session.Config{Keys: [][]byte{keyA}})
	issue(t, m, "bob")
	token, _ := issue(t, m, "alice")

	edits := []string{token + "\r\n", token + "\n", "\r\n" + token, token[:9] + "\n" + token[9:], token + "=", token + "A", token + "|", " " + token}
	for at := range token {
		for _, c := range "A_-=.|\n~\x00\xff" {
			edits = append(edits, token[:at]+string(c)+token[at+1:], token[:at]+string(c)+token[at:])
		}
		edits = append(edits, token[:at]+token[at+1:])
	}
	accepted := 0
	for _, edit := range edits {
		got, _ := read(m, cookieName+"="+edit)
		if got.err != nil || got.who != "" && got.who != "alice" {
			t.Errorf("token edited to %q: got %+v, want alice's session or none", edit, got)
		}
		if got.exists && strings.Trim(edit, "\r\n") != token && !strings.ContainsAny(edit, "\r\n") {
			accepted++
		}
	}
	if accepted > 4 {
		t.Errorf("%d of %d edits were accepted: want those of the slack in the last character only", accepted, len(edits))
	}
}

func TestSeveralTokensInOneRequest(t *testing.T) {
	m, s := newManager(t, &session.Config{Keys: [][]byte{keyA}})
	a, _ := issue(t, m, "alice")
	b, _ := issue(t, m, "bob")
	unknown := sign(t, keyA, cookieName, make([]byte, 32))
	unknown2 := sign(t, keyA, cookieName, bytes.Repeat([]byte{1}, 32))
	manyValid := []string{a}
	for i := range session.MaxLoads {
		manyValid = append(manyValid, sign(t, keyA, cookieName, bytes.Repeat([]byte{byte(i)}, 32)))
	}
	again := func(n int, token string) (all []string) {
		for range n {
			all = append(all, token)
		}
		return all
	}
	forged := func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("forged%d", i))
		}
		return all
	}
	for _, tt := range []struct {
		name   string
		tokens []string
		want   string
		loads  int64
	}{
		{"one", []string{a}, "alice", 1},
		{"the same twice", []string{a, a}, "alice", 1},
		{"the same secret, signed twice", []string{a, sign(t, keyA, cookieName, rawOf(t, keyA, cookieName, a))}, "alice", 1},
		{"two live ones", []string{a, b}, "", 2},
		{"two live ones, one of them twice", []string{a, b, a}, "", 2},
		{"two dead ones", []string{unknown, unknown2}, "", 2},
		{"a forged one, then a valid one", []string{"forged", a}, "alice", 1},
		{"a valid one, then a forged one", []string{a, "forged"}, "alice", 1},
		{"two live ones around a forged one", []string{a, "forged", b}, "", 2},
		{"more valid ones than are looked for", manyValid, "", 0},
		{"a valid one among as many as are allowed", append(forged(signed.MaxCandidates-1), a), "alice", 1},
		{"a valid one among too many", append(forged(signed.MaxCandidates), a), "", 0},
		{"the same as often as is allowed", again(signed.MaxCandidates, a), "alice", 1},
		{"the same too often", again(signed.MaxCandidates+1, a), "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.take()
			got, w := read(m, cookieName+"="+strings.Join(tt.tokens, "; "+cookieName+"="))
			check(t, "who", got.who, tt.want)
			check(t, "exists", got.exists, tt.want != "")
			checkErr(t, "reading", got.err, nil)
			check(t, "store calls", s.take(), calls{loads: tt.loads})
			check(t, "cookies set", len(w.Result().Cookies()), 0)
		})
	}
}

func TestRefusalSaysWhyInOneDebugLine(t *testing.T) {
	for _, tt := range []struct {
		name string
		line func(a, b string) string
		want string
	}{
		{"forged", func(a, b string) string { return cookieName + "=x" }, `why="not valid"`},
		{"two", func(a, b string) string { return cookieName + "=" + a + "; " + cookieName + "=" + b }, `why="valid tokens of several sessions"`},
		{"thousands", func(a, b string) string { return strings.Repeat(cookieName+"=x;", 5000) }, `why="too many tokens"`},
		{"thousands of others", func(a, b string) string { return strings.Repeat("other=x;", 5000) + cookieName + "=x" }, `why="not valid"`},
		{"ended", func(a, b string) string { return cookieName + "=" + a }, `why="unknown or expired"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log logbook
			m, _ := newManager(t, &session.Config{Keys: [][]byte{keyA}, Logger: log.logger()})
			a, alice := issue(t, m, "alice")
			b, _ := issue(t, m, "bob")
			if tt.name == "ended" {
				must(t, m.End(context.Background(), alice.ID()))
			}
			read(m, tt.line(a, b))
			check(t, "debug lines with "+tt.want, log.count(tt.want), 1)
			check(t, "log lines", log.count(""), 1)
		})
	}
}

func TestNoTokenIsNotWorthALogLine(t *testing.T) {
	var log logbook
	m, _ := newManager(t, &session.Config{Logger: log.logger()})
	read(m)
	read(m, "other=1; session=2")
	check(t, "log", log.String(), "")
}

// Nodes are restarted one by one, so each step must work while others are still at the step before.
func TestKeyRotation(t *testing.T) {
	s := newSpy()
	node := func(keys ...[]byte) *session.Manager { return newManagerOn(t, s, &session.Config{Keys: keys}) }
	before, accepts, signs, after := node(keyA), node(keyA, keyB), node(keyB, keyA), node(keyB)
	seen := func(m *session.Manager, token string) string {
		got, _ := read(m, cookieName+"="+token)
		checkErr(t, "reading", got.err, nil)
		return got.who
	}
	old, _ := issue(t, before, "alice")
	second, _ := issue(t, accepts, "bob")
	third, _ := issue(t, signs, "carol")

	for _, tt := range []struct {
		node       string
		m          *session.Manager
		token, who string
	}{
		{"before", before, second, "bob"},
		{"that accepts the new key", accepts, old, "alice"},
		{"that accepts the new key", accepts, second, "bob"},
		{"that accepts the new key", accepts, third, "carol"},
		{"that signs with the new key", signs, old, "alice"},
		{"that signs with the new key", signs, second, "bob"},
		{"that signs with the new key", signs, third, "carol"},
		{"that has dropped the old key", after, third, "carol"},
		{"that has dropped the old key", after, old, ""}, // anonymous, not an error
		{"that has dropped the old key", after, second, ""},
	} {
		check(t, "who is on a node "+tt.node, seen(tt.m, tt.token), tt.who)
	}
}

func TestTokenOfAnotherKeyIsReplacedByAWrite(t *testing.T) {
	s := newSpy()
	old, _ := issue(t, newManagerOn(t, s, &session.Config{Keys: [][]byte{keyA}}), "alice")
	m := newManagerOn(t, s, &session.Config{Keys: [][]byte{keyB}})
	_, w := write(t, m, cookieName+"="+old, "alice again")
	check(t, "status", w.Code, http.StatusOK)
	got, _ := read(m, cookieName+"="+sentToken(w, cookieName))
	check(t, "who", got.who, "alice again")
}

// The signature ages with time.Now, the session by the store's clock.
func TestTokenAges(t *testing.T) {
	const lifetime = time.Hour
	for _, tt := range []struct {
		name     string
		prepare  func(*session.Session) error
		after    time.Duration
		accepted bool // by its signature: the store is asked
		exists   bool
	}{
		{"within the lifetime", nil, lifetime - time.Second, true, true},
		{"past it, within the clocks' slack", nil, lifetime + signed.ClockSlack - time.Second, true, false},
		{"past the slack", nil, lifetime + signed.ClockSlack + 2*time.Second, false, false},
		{"a shorter lifetime", lives(time.Minute), 2 * time.Minute, true, false},
		{"a lifetime of 30 days, on day 29", lives(30 * 24 * time.Hour), 29 * 24 * time.Hour, true, true},
		{"a lifetime of 30 days, on day 31", lives(30 * 24 * time.Hour), 31 * 24 * time.Hour, true, false},
		{"a lifetime just above the default", lives(lifetime + 20*time.Minute), lifetime + 15*time.Minute, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, s := newManager(t, &session.Config{Keys: [][]byte{keyA}, Lifetime: lifetime})
				_, alice := issue(t, m, "alice")
				if tt.prepare != nil {
					must(t, tt.prepare(alice))
				}
				must(t, alice.SetIdleTimeout(90*24*time.Hour))
				must(t, alice.Commit(t.Context()))
				token, err := alice.Token()
				must(t, err)
				s.take()

				time.Sleep(tt.after)
				got, _ := read(m, cookieName+"="+token)
				checkErr(t, "reading", got.err, nil)
				check(t, "exists", got.exists, tt.exists)
				check(t, "the store was asked", s.take().loads == 1, tt.accepted)
			})
		})
	}
}

func lives(d time.Duration) func(*session.Session) error {
	return func(s *session.Session) error { return s.SetLifetime(d) }
}

// "Remember me" through the cookie: what the browser was given at login opens the session weeks later.
func TestRememberMeOutlivesTheConfiguredLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const month = 30 * 24 * time.Hour
		m, _ := newManager(t, &session.Config{Keys: [][]byte{keyA}})
		c := newClient(m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			s := session.FromContext(r.Context())
			must(t, who.Set(r.Context(), "alice"))
			must(t, s.SetLifetime(month))
			must(t, s.SetIdleTimeout(month))
			must(t, s.Persist(true))
		})))
		w := c.get("/")
		check(t, "Max-Age", w.Result().Cookies()[0].MaxAge, int(month.Seconds()))

		time.Sleep(month - time.Hour)
		var got string
		c.use(func(_ http.ResponseWriter, r *http.Request) { got, _ = who.Get(r.Context()) }, m).get("/")
		check(t, "who, an hour before the month is over", got, "alice")
	})
}

// An existing session whose lifetime grows gets a new cookie, for the signature of the one it has would age too early.
func TestLongerLifetimeIsToldToTheClient(t *testing.T) {
	m, _ := newManager(t, &session.Config{Keys: [][]byte{keyA}})
	old, _ := issue(t, m, "alice")
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "https://example.com/", nil)
	r.Header.Set("Cookie", cookieName+"="+old)
	m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		must(t, session.FromContext(r.Context()).SetLifetime(30*24*time.Hour))
	})).ServeHTTP(w, r)
	token := sentToken(w, cookieName)
	if !strings.HasPrefix(token, ".") {
		t.Errorf("token sent: got %q, want an ageless one", token)
	}
	got, _ := read(m, cookieName+"="+token)
	check(t, "who", got.who, "alice")
	got, _ = read(m, cookieName+"="+token[1:])
	check(t, "reading without the mark", got, nothing)
}

func TestStoreKnowsTheTokensHashOnly(t *testing.T) {
	m, s := newManager(t, &session.Config{Keys: [][]byte{keyA}})
	token, _ := issue(t, m, "alice")
	raw := rawOf(t, keyA, cookieName, token)
	rec, err := s.mem.Load(t.Context(), store.HashToken(raw))
	must(t, err)
	if rec != nil && strings.Contains(string(rec.Token[:]), string(raw[:8])) {
		t.Error("the store's token holds the raw one")
	}
}
