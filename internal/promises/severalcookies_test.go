package promises_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/internal/signed"
	"github.com/lazysession/session/sessiontest"
)

// After a deploy that changes the cookie's scope, a browser has a cookie of each scope. The live one counts, and the
// response removes the other.
func TestChangedScopeOfTheCookie(t *testing.T) {
	const host = "https://www.shop.example.com"
	for _, tt := range []struct {
		name          string
		before, after session.Cookie
	}{
		{"Domain added", session.Cookie{Name: "sid"}, session.Cookie{Name: "sid", Domain: "example.com"}},
		{"Domain removed", session.Cookie{Name: "sid", Domain: "shop.example.com"}, session.Cookie{Name: "sid"}},
		{"Domain widened", session.Cookie{Name: "sid", Domain: "shop.example.com"},
			session.Cookie{Name: "sid", Domain: "example.com"}},
		{"Path narrowed", session.Cookie{Name: "sid"}, session.Cookie{Name: "sid", Path: "/app"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := fixture.NewStore()
			before := fixture.NewManagerOn(t, s, &session.Config{Cookie: tt.before})
			after := fixture.NewManagerOn(t, s, &session.Config{Cookie: tt.after})
			b := newScopedJar(host + "/app/")
			b.visit(before, func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
			b.visit(after, func(ctx context.Context) {
				expect.OK(t, session.FromContext(ctx).Renew())
				expect.OK(t, session.FromContext(ctx).SetOwner("ann"))
			})
			expect.Equal(t, "cookies after the login", len(b.lines), 2)
			s.Take()
			b.visit(after, func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann") })
			expect.Equal(t, "store calls with both, and to confirm", s.Take(), fixture.Calls{Loads: 3})
			expect.Equal(t, "cookies once both were seen", len(b.lines), 1)
			// This is for clients that can't tell scopes apart.
			expect.Equal(t, "the last line of them sets the cookie", b.last.MaxAge >= 0, true)
			s.Take()
			b.visit(after, func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann") })
			expect.Equal(t, "store calls with one", s.Take(), fixture.Calls{Loads: 1})
		})
	}
}

// If the cookie with the old scope has the live session, the response moves it to the new scope.
func TestLiveSessionOfTheOldScopeMoves(t *testing.T) {
	s := fixture.NewStore()
	before := fixture.NewManagerOn(t, s, &session.Config{Cookie: session.Cookie{Name: "sid"}})
	after := fixture.NewManagerOn(t, s, &session.Config{Cookie: session.Cookie{Name: "sid", Domain: "example.com"}})
	b := newScopedJar("https://example.com/")
	var id session.ID
	b.visit(after, func(ctx context.Context) {
		expect.OK(t, fixture.User.Set(ctx, "dead soon"))
		id = session.FromContext(ctx).ID()
	})
	both := b.lines
	b.lines = nil
	b.visit(before, func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	for key, line := range both {
		b.lines[key] = line
	}
	expect.OK(t, before.End(t.Context(), id))
	expect.Equal(t, "cookies", len(b.lines), 2)
	for range 2 {
		b.visit(after, func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann") })
	}
	expect.Equal(t, "cookies of the new scope", strings.HasPrefix(b.only(t), "example.com"), true)
}

// Two live sessions in one request are refused both. A logout ends both.
func TestTwoLiveSessionsAreRefusedBoth(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	a, _ := fixture.Issue(t, m, "alice")
	b, _ := fixture.Issue(t, m, "bob")
	line := fixture.CookieName + "=" + a + "; " + fixture.CookieName + "=" + b
	got, w := fixture.Read(m, line)
	expect.Equal(t, "got", got, fixture.Nothing)
	expect.Equal(t, "cookies", len(w.Result().Cookies()), 0)
	ask(m, line, func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).End()) })
	expect.Equal(t, "sessions", s.Mem.Len(), 0)
}

func TestRetiredAndDeadTokensTogether(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	dead, ended := fixture.Issue(t, m, "alice")
	expect.OK(t, m.End(t.Context(), ended.ID()))
	retired, renewed := fixture.Issue(t, m, "bob")
	expect.OK(t, renewed.Renew())
	expect.OK(t, renewed.Commit(t.Context()))
	w := ask(m, fixture.CookieName+"="+dead+"; "+fixture.CookieName+"="+retired, func(ctx context.Context) {
		fixture.Holds(t, ctx, fixture.Who, "")
		expect.Is(t, "Set", fixture.Who.Set(ctx, "x"), session.ErrEnded)
	})
	expect.Equal(t, "status", w.Code, http.StatusConflict)
	expect.Equal(t, "cookies", len(w.Result().Cookies()), 0)
}

func TestSeveralTokensWhileTheStoreIsDown(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	a, _ := fixture.Issue(t, m, "alice")
	b, second := fixture.Issue(t, m, "bob")
	expect.OK(t, m.End(t.Context(), second.ID()))
	s.Broken.Fail(fixture.ErrStore, sessiontest.Load)
	line := fixture.CookieName + "=" + a + "; " + fixture.CookieName + "=" + b
	w := ask(m, line, func(ctx context.Context) {
		_, err := fixture.Who.Get(ctx)
		expect.Is(t, "Get", err, session.ErrUnavailable)
		s.Broken.Mend()
		expect.OK(t, session.FromContext(ctx).Reload(ctx))
		fixture.Holds(t, ctx, fixture.Who, "alice")
	})
	expect.Equal(t, "status", w.Code, http.StatusOK)
}

// A logout with very many cookies ends every session that they open, or returns an error.
func TestEndWithManyTokens(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	a, _ := fixture.Issue(t, m, "alice")
	line := strings.Repeat(fixture.CookieName+"=forged; ", signed.MaxCandidates) + fixture.CookieName + "=" + a
	w := ask(m, line, func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).End()) })
	expect.Equal(t, "status", w.Code, http.StatusOK)
	expect.Equal(t, "sessions after End", s.Mem.Len(), 0)

	line = ""
	for i := range signed.MaxCandidates + 1 {
		token, _ := fixture.Issue(t, m, fmt.Sprint(i))
		line += fixture.CookieName + "=" + token + "; "
	}
	w = ask(m, line, func(ctx context.Context) {
		expect.Is(t, "End of too many", session.FromContext(ctx).End(), session.ErrConflict)
	})
	expect.Equal(t, "status", w.Code, http.StatusConflict)
	expect.Equal(t, "sessions", s.Mem.Len(), signed.MaxCandidates+1)
}

// If a store call of a logout with two cookies fails, End returns the error and the response is no success.
func TestEndWithTwoTokensFails(t *testing.T) {
	for _, tt := range []struct {
		name   string
		breaks func(s *fixture.Store)
	}{
		{"load", func(s *fixture.Store) { s.Broken.Fail(fixture.ErrStore, sessiontest.Load) }},
		{"end", func(s *fixture.Store) { s.Broken.Fail(fixture.ErrStore, sessiontest.End) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, s := fixture.NewManager(t, nil)
			a, _ := fixture.Issue(t, m, "alice")
			b, _ := fixture.Issue(t, m, "bob")
			w := ask(m, fixture.CookieName+"="+a+"; "+fixture.CookieName+"="+b, func(ctx context.Context) {
				fixture.Holds(t, ctx, fixture.Who, "")
				tt.breaks(s)
				expect.Is(t, "End", session.FromContext(ctx).End(), session.ErrUnavailable)
			})
			expect.Equal(t, "status", w.Code, http.StatusServiceUnavailable)
			expect.Equal(t, "cookies", len(w.Result().Cookies()), 0)
			expect.Equal(t, "sessions", s.Mem.Len(), 2)
		})
	}
}

// ask serves one request with a Cookie header.
func ask(m *session.Manager, line string, do func(ctx context.Context)) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "https://example.com/", nil)
	r.Header.Set("Cookie", line)
	m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { do(r.Context()) })).ServeHTTP(w, r)
	return w
}

// A scopedJar keeps cookies as browsers do, by name, domain, path and whether they are for the host alone (RFC 6265bis,
// section 5.7), which cookiejar.Jar does not. All of them are sent to its one address.
type scopedJar struct {
	url   string
	lines map[string]string
	last  *http.Cookie // that it was sent
}

func newScopedJar(url string) *scopedJar { return &scopedJar{url: url} }

func (b *scopedJar) visit(m *session.Manager, do func(ctx context.Context)) {
	if b.lines == nil {
		b.lines = map[string]string{}
	}
	r := httptest.NewRequest("GET", b.url, nil)
	for _, line := range b.lines {
		r.Header.Set("Cookie", strings.TrimPrefix(r.Header.Get("Cookie")+"; "+line, "; "))
	}
	w := httptest.NewRecorder()
	m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { do(r.Context()) })).ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		b.last = c
		key := c.Domain + ";" + c.Path + ";" + c.Name
		if delete(b.lines, key); c.MaxAge >= 0 {
			b.lines[key] = c.Name + "=" + c.Value
		}
	}
}

// only returns where the browser's one cookie is kept.
func (b *scopedJar) only(t *testing.T) (key string) {
	t.Helper()
	expect.Equal(t, "cookies", len(b.lines), 1)
	for key = range b.lines {
	}
	return key
}

// A request that only reads may begin before a login of the same browser. It must not overwrite the login's cookie.
func TestReaderBesideALoginWithTwoCookies(t *testing.T) {
	for _, what := range []string{"renewed", "ended"} {
		m, _ := fixture.NewManager(t, nil)
		dead, gone := fixture.Issue(t, m, "dead")
		expect.OK(t, m.End(t.Context(), gone.ID()))
		liveToken, _ := fixture.Issue(t, m, "ann")
		line := fixture.CookieName + "=" + dead + "; " + fixture.CookieName + "=" + liveToken
		w := ask(m, line, func(ctx context.Context) {
			fixture.Holds(t, ctx, fixture.Who, "ann")
			ask(m, line, func(ctx context.Context) { // meanwhile
				if what == "renewed" {
					expect.OK(t, session.FromContext(ctx).Renew())
				} else {
					expect.OK(t, session.FromContext(ctx).End())
				}
			})
		})
		for _, c := range w.Result().Cookies() {
			t.Errorf("%s meanwhile: the reader's response sets the dead cookie %s…", what, c.Name)
		}
	}
}

// With two live sessions in a request, a visitor can still log in.
func TestLoginWithTwoLiveCookies(t *testing.T) {
	s := fixture.NewStore()
	before := fixture.NewManagerOn(t, s, &session.Config{Cookie: session.Cookie{Name: "sid"}})
	after := fixture.NewManagerOn(t, s, &session.Config{Cookie: session.Cookie{Name: "sid", Domain: "example.com"}})
	b, other := newScopedJar("https://example.com/"), newScopedJar("https://example.com/")
	b.visit(before, func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "old scope")) })
	other.visit(after, func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "new scope")) })
	for key, line := range other.lines {
		b.lines[key] = line
	}
	b.visit(after, func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "") })
	for range 3 {
		b.visit(after, func(ctx context.Context) {
			expect.OK(t, session.FromContext(ctx).Renew())
			expect.OK(t, fixture.User.Set(ctx, "ann"))
		})
	}
	b.visit(after, func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "ann") })
}

// End after a write ends every session whose token the request has.
func TestEndAfterAWriteWithTwoLiveCookies(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	a, _ := fixture.Issue(t, m, "alice")
	b, _ := fixture.Issue(t, m, "bob")
	w := ask(m, fixture.CookieName+"="+a+"; "+fixture.CookieName+"="+b, func(ctx context.Context) {
		expect.OK(t, fixture.Color.Set(ctx, "red"))
		expect.OK(t, session.FromContext(ctx).End())
	})
	expect.Equal(t, "sessions after End said nil", s.Mem.Len(), 0)
	expect.Equal(t, "cookies removed", len(w.Result().Cookies()), 1)
}

func TestAmbiguousVisitorLogsOut(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	a, b := fixture.NewVisitor(t, m), fixture.NewVisitor(t, m)
	for _, v := range []*fixture.Visitor{a, b} {
		v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(a.Cookie())
	r.AddCookie(b.Cookie())
	w := httptest.NewRecorder()
	m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		expect.OK(t, session.FromContext(r.Context()).End())
	})).ServeHTTP(w, r)
	expect.Equal(t, "removed", len(w.Result().Cookies()) == 1 && w.Result().Cookies()[0].MaxAge < 0, true)
	for _, v := range []*fixture.Visitor{a, b} {
		v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "") })
	}
}

func TestSeveralTokensInOneRequest(t *testing.T) {
	m, s := fixture.NewManager(t, &session.Config{Keys: [][]byte{fixture.KeyA}})
	a, _ := fixture.Issue(t, m, "alice")
	b, _ := fixture.Issue(t, m, "bob")
	signedAgain := fixture.Sign(t, fixture.KeyA, fixture.CookieName, fixture.RawOf(t, fixture.KeyA, fixture.CookieName, a))
	unknown := fixture.Sign(t, fixture.KeyA, fixture.CookieName, make([]byte, 32))
	unknown2 := fixture.Sign(t, fixture.KeyA, fixture.CookieName, bytes.Repeat([]byte{1}, 32))
	manyValid := []string{a}
	for i := range 4 { // together with a, one more than a request may load
		manyValid = append(manyValid, fixture.Sign(t, fixture.KeyA, fixture.CookieName, bytes.Repeat([]byte{byte(i)}, 32)))
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
		{"the same secret, signed twice", []string{a, signedAgain}, "alice", 1},
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
			s.Take()
			got, w := fixture.Read(m, fixture.CookieName+"="+strings.Join(tt.tokens, "; "+fixture.CookieName+"="))
			expect.Equal(t, "who", got.Who, tt.want)
			expect.Equal(t, "exists", got.Exists, tt.want != "")
			expect.Is(t, "reading", got.Err, nil)
			expect.Equal(t, "store calls", s.Take(), fixture.Calls{Loads: tt.loads})
			expect.Equal(t, "cookies set", len(w.Result().Cookies()), 0)
		})
	}
}
