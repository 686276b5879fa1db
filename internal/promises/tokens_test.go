package promises_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/internal/signed"
)

func TestRefusedTokensAreNoSession(t *testing.T) {
	for _, tt := range []struct {
		name  string
		token func(t *testing.T, m *session.Manager, s *fixture.Store) string
		loads int64 // only what the Manager has signed may reach the store
	}{
		{"empty", func(*testing.T, *session.Manager, *fixture.Store) string { return "" }, 0},
		{"garbage", func(*testing.T, *session.Manager, *fixture.Store) string { return "AAAAAAAAAAAAAAAAAAAA" }, 0},
		{"garbage of 100 KB", func(*testing.T, *session.Manager, *fixture.Store) string {
			return strings.Repeat("A", 100<<10)
		}, 0},
		{"only the mark of ageless tokens", func(*testing.T, *session.Manager, *fixture.Store) string { return "." }, 0},
		{"without its last character", edited(func(s string) string { return s[:len(s)-1] }), 0},
		{"half of one", edited(func(s string) string { return s[:len(s)/2] }), 0},
		{"with its first character changed", edited(func(s string) string { return "X" + s[1:] }), 0},
		{"twice in a row", edited(func(s string) string { return s + s }), 0},
		{"in quotes", edited(func(s string) string { return `"` + s + `"` }), 0},
		{"followed by garbage", edited(func(s string) string { return s + strings.Repeat("=", 300) }), 0},
		{"aged, made ageless by its mark", edited(func(s string) string { return "." + s }), 0},
		{"aged, with two marks", edited(func(s string) string { return ".." + s }), 0},
		{"signed with a foreign key", func(t *testing.T, m *session.Manager, _ *fixture.Store) string {
			token, _ := fixture.Issue(t, m, "alice")
			return fixture.Sign(t, fixture.KeyB, fixture.CookieName, fixture.RawOf(t, fixture.KeyA, fixture.CookieName, token))
		}, 0},
		{"signed for another cookie's name", func(t *testing.T, m *session.Manager, _ *fixture.Store) string {
			token, _ := fixture.Issue(t, m, "alice")
			return fixture.Sign(t, fixture.KeyA, "session", fixture.RawOf(t, fixture.KeyA, fixture.CookieName, token))
		}, 0},
		{"signed for a name that begins with the mark", func(t *testing.T, m *session.Manager, _ *fixture.Store) string {
			token, _ := fixture.Issue(t, m, "alice")
			return "." + fixture.Sign(t, fixture.KeyA, "."+fixture.CookieName,
				fixture.RawOf(t, fixture.KeyA, fixture.CookieName, token))
		}, 0},
		{"signed, but 31 bytes", func(t *testing.T, _ *session.Manager, _ *fixture.Store) string {
			return fixture.Sign(t, fixture.KeyA, fixture.CookieName, make([]byte, 31))
		}, 0},
		{"signed, but 33 bytes", func(t *testing.T, _ *session.Manager, _ *fixture.Store) string {
			return fixture.Sign(t, fixture.KeyA, fixture.CookieName, make([]byte, 33))
		}, 0},
		{"signed, but empty", func(t *testing.T, _ *session.Manager, _ *fixture.Store) string {
			return fixture.Sign(t, fixture.KeyA, fixture.CookieName, nil)
		}, 0},
		{"signed, but unknown to the store", func(t *testing.T, _ *session.Manager, _ *fixture.Store) string {
			return fixture.Sign(t, fixture.KeyA, fixture.CookieName, make([]byte, 32))
		}, 1},
		{"the ID of a session, signed", func(t *testing.T, m *session.Manager, _ *fixture.Store) string {
			_, s := fixture.Issue(t, m, "alice")
			id := s.ID()
			return fixture.Sign(t, fixture.KeyA, fixture.CookieName, append(id[:], id[:]...))
		}, 1},
		{"of a session that was idle for too long", func(t *testing.T, m *session.Manager, s *fixture.Store) string {
			token, _ := fixture.Issue(t, m, "alice")
			s.Clock.Advance(31 * time.Minute)
			return token
		}, 1},
		{"of a session that has ended", func(t *testing.T, m *session.Manager, s *fixture.Store) string {
			token, alice := fixture.Issue(t, m, "alice")
			expect.OK(t, m.End(context.Background(), alice.ID()))
			return token
		}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log fixture.Logbook
			m, s := fixture.NewManager(t, &session.Config{Keys: [][]byte{fixture.KeyA}, Logger: log.Logger()})
			token := tt.token(t, m, s)
			s.Take()

			got, w := fixture.Read(m, fixture.CookieName+"="+token)
			expect.Equal(t, "the request's reading", got, fixture.Nothing)
			expect.Equal(t, "store calls", s.Take(), fixture.Calls{Loads: tt.loads})
			expect.Equal(t, "cookies set", len(w.Result().Cookies()), 0)
			expect.Equal(t, "log lines", log.Count(""), 1)
			expect.Equal(t, "debug lines", log.Count("level=DEBUG"), 1)
			if len(token) > 10 && strings.Contains(log.String(), token[5:10]) {
				t.Errorf("log: the token %q is in %q", token, log.String())
			}

			id, w := fixture.Write(t, m, fixture.CookieName+"="+token, "mallory")
			fresh := fixture.SentToken(w, fixture.CookieName)
			if id.IsZero() || fresh == "" || fresh == token {
				t.Errorf("a write made session %v with token %q: want a new session with a token of its own", id, fresh)
			}
			change := s.LastChange()
			expect.Equal(t, "commits that create", change.Created, true)
			expect.Equal(t, "store calls of the write", s.Take(), fixture.Calls{Loads: tt.loads, Commits: 1})
			got, _ = fixture.Read(m, fixture.CookieName+"="+fresh)
			expect.Equal(t, "who is in the new session", got, fixture.Reading{Who: "mallory", Exists: true, ID: id})
		})
	}
}

func edited(edit func(string) string) func(*testing.T, *session.Manager, *fixture.Store) string {
	return func(t *testing.T, m *session.Manager, _ *fixture.Store) string {
		token, _ := fixture.Issue(t, m, "alice")
		return edit(token)
	}
}

// The last character of base64 has unused bits, and line ends are skipped, so a few edits of a token still verify, with
// the same value. No edit may open another session.
func TestNoEditOfATokenOpensAnotherSession(t *testing.T) {
	m, _ := fixture.NewManager(t, &session.Config{Keys: [][]byte{fixture.KeyA}})
	fixture.Issue(t, m, "bob")
	token, _ := fixture.Issue(t, m, "alice")

	edits := []string{
		token + "\r\n", token + "\n", "\r\n" + token, token[:9] + "\n" + token[9:],
		token + "=", token + "A", token + "|", " " + token,
	}
	for at := range token {
		for _, c := range "A_-=.|\n~\x00\xff" {
			edits = append(edits, token[:at]+string(c)+token[at+1:], token[:at]+string(c)+token[at:])
		}
		edits = append(edits, token[:at]+token[at+1:])
	}
	accepted := 0
	for _, edit := range edits {
		got, _ := fixture.Read(m, fixture.CookieName+"="+edit)
		if got.Err != nil || got.Who != "" && got.Who != "alice" {
			t.Errorf("token edited to %q: got %+v, want alice's session or none", edit, got)
		}
		if got.Exists && strings.Trim(edit, "\r\n") != token && !strings.ContainsAny(edit, "\r\n") {
			accepted++
		}
	}
	if accepted > 4 {
		t.Errorf("%d of %d edits were accepted: want those of the slack in the last character only", accepted, len(edits))
	}
}

func TestRefusalSaysWhyInOneDebugLine(t *testing.T) {
	for _, tt := range []struct {
		name string
		line func(a, b string) string
		want string
	}{
		{"forged", func(a, b string) string { return fixture.CookieName + "=x" }, `why="not valid"`},
		{"two", func(a, b string) string {
			return fixture.CookieName + "=" + a + "; " + fixture.CookieName + "=" + b
		}, `why="valid tokens of several sessions"`},
		{"thousands", func(a, b string) string {
			return strings.Repeat(fixture.CookieName+"=x;", 5000)
		}, `why="too many tokens"`},
		{"thousands of others", func(a, b string) string {
			return strings.Repeat("other=x;", 5000) + fixture.CookieName + "=x"
		}, `why="not valid"`},
		{"ended", func(a, b string) string { return fixture.CookieName + "=" + a }, `why="unknown or expired"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log fixture.Logbook
			m, _ := fixture.NewManager(t, &session.Config{Keys: [][]byte{fixture.KeyA}, Logger: log.Logger()})
			a, alice := fixture.Issue(t, m, "alice")
			b, _ := fixture.Issue(t, m, "bob")
			if tt.name == "ended" {
				expect.OK(t, m.End(context.Background(), alice.ID()))
			}
			fixture.Read(m, tt.line(a, b))
			expect.Equal(t, "debug lines with "+tt.want, log.Count(tt.want), 1)
			expect.Equal(t, "log lines", log.Count(""), 1)
		})
	}
}

func TestNoTokenIsNotWorthALogLine(t *testing.T) {
	var log fixture.Logbook
	m, _ := fixture.NewManager(t, &session.Config{Logger: log.Logger()})
	fixture.Read(m)
	fixture.Read(m, "other=1; session=2")
	expect.Equal(t, "log", log.String(), "")
}

// Nodes restart one by one, so each step must work while other nodes are still at the step before.
func TestKeyRotation(t *testing.T) {
	s := fixture.NewStore()
	node := func(keys ...[]byte) *session.Manager { return fixture.NewManagerOn(t, s, &session.Config{Keys: keys}) }
	before, accepts := node(fixture.KeyA), node(fixture.KeyA, fixture.KeyB)
	signs, after := node(fixture.KeyB, fixture.KeyA), node(fixture.KeyB)
	seen := func(m *session.Manager, token string) string {
		got, _ := fixture.Read(m, fixture.CookieName+"="+token)
		expect.Is(t, "reading", got.Err, nil)
		return got.Who
	}
	old, _ := fixture.Issue(t, before, "alice")
	second, _ := fixture.Issue(t, accepts, "bob")
	third, _ := fixture.Issue(t, signs, "carol")

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
		expect.Equal(t, "who is on a node "+tt.node, seen(tt.m, tt.token), tt.who)
	}
}

func TestTokenOfAnotherKeyIsReplacedByAWrite(t *testing.T) {
	s := fixture.NewStore()
	old, _ := fixture.Issue(t, fixture.NewManagerOn(t, s, &session.Config{Keys: [][]byte{fixture.KeyA}}), "alice")
	m := fixture.NewManagerOn(t, s, &session.Config{Keys: [][]byte{fixture.KeyB}})
	_, w := fixture.Write(t, m, fixture.CookieName+"="+old, "alice again")
	expect.Equal(t, "status", w.Code, http.StatusOK)
	got, _ := fixture.Read(m, fixture.CookieName+"="+fixture.SentToken(w, fixture.CookieName))
	expect.Equal(t, "who", got.Who, "alice again")
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
				m, s := fixture.NewManager(t, &session.Config{Keys: [][]byte{fixture.KeyA}, Lifetime: lifetime})
				_, alice := fixture.Issue(t, m, "alice")
				if tt.prepare != nil {
					expect.OK(t, tt.prepare(alice))
				}
				expect.OK(t, alice.SetIdleTimeout(90*24*time.Hour))
				expect.OK(t, alice.Commit(t.Context()))
				token, err := alice.Token()
				expect.OK(t, err)
				s.Take()

				time.Sleep(tt.after)
				got, _ := fixture.Read(m, fixture.CookieName+"="+token)
				expect.Is(t, "reading", got.Err, nil)
				expect.Equal(t, "exists", got.Exists, tt.exists)
				expect.Equal(t, "the store was asked", s.Take().Loads == 1, tt.accepted)
			})
		})
	}
}

func lives(d time.Duration) func(*session.Session) error {
	return func(s *session.Session) error { return s.SetLifetime(d) }
}

// With "remember me", the cookie of the login opens the session weeks later.
func TestRememberMeOutlivesTheConfiguredLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const month = 30 * 24 * time.Hour
		m, _ := fixture.NewManager(t, &session.Config{Keys: [][]byte{fixture.KeyA}})
		c := fixture.NewVisitor(t, m)
		w := c.Meet(func(_ http.ResponseWriter, r *http.Request) {
			s := session.FromContext(r.Context())
			expect.OK(t, fixture.Who.Set(r.Context(), "alice"))
			expect.OK(t, s.SetLifetime(month))
			expect.OK(t, s.SetIdleTimeout(month))
			expect.OK(t, s.Persist(true))
		}).Get("/")
		expect.Equal(t, "Max-Age", w.Result().Cookies()[0].MaxAge, int(month.Seconds()))

		time.Sleep(month - time.Hour)
		var got string
		c.Meet(func(_ http.ResponseWriter, r *http.Request) { got, _ = fixture.Who.Get(r.Context()) }).Get("/")
		expect.Equal(t, "who, an hour before the month is over", got, "alice")
	})
}

// If the lifetime of an existing session grows, the response has a new cookie, since the old signature would expire
// too early.
func TestLongerLifetimeIsToldToTheClient(t *testing.T) {
	m, _ := fixture.NewManager(t, &session.Config{Keys: [][]byte{fixture.KeyA}})
	old, _ := fixture.Issue(t, m, "alice")
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "https://example.com/", nil)
	r.Header.Set("Cookie", fixture.CookieName+"="+old)
	m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		expect.OK(t, session.FromContext(r.Context()).SetLifetime(30*24*time.Hour))
	})).ServeHTTP(w, r)
	token := fixture.SentToken(w, fixture.CookieName)
	if !strings.HasPrefix(token, ".") {
		t.Errorf("token sent: got %q, want an ageless one", token)
	}
	got, _ := fixture.Read(m, fixture.CookieName+"="+token)
	expect.Equal(t, "who", got.Who, "alice")
	got, _ = fixture.Read(m, fixture.CookieName+"="+token[1:])
	expect.Equal(t, "reading without the mark", got, fixture.Nothing)
}
