package session_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/signed"
)

// A deploy that changes the cookie's scope leaves browsers with a cookie of each. The live one counts, and the browser
// is told to forget the other.
func TestChangedScopeOfTheCookie(t *testing.T) {
	const host = "https://www.shop.example.com"
	for _, tt := range []struct {
		name          string
		before, after session.Cookie
	}{
		{"Domain added", session.Cookie{Name: "sid"}, session.Cookie{Name: "sid", Domain: "example.com"}},
		{"Domain removed", session.Cookie{Name: "sid", Domain: "shop.example.com"}, session.Cookie{Name: "sid"}},
		{"Domain widened", session.Cookie{Name: "sid", Domain: "shop.example.com"}, session.Cookie{Name: "sid", Domain: "example.com"}},
		{"Path narrowed", session.Cookie{Name: "sid"}, session.Cookie{Name: "sid", Path: "/app"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSpy()
			before := newManagerOn(t, s, &session.Config{Cookie: tt.before})
			after := newManagerOn(t, s, &session.Config{Cookie: tt.after})
			b := newScopedJar(host + "/app/")
			b.visit(before, func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
			b.visit(after, func(ctx context.Context) {
				must(t, session.FromContext(ctx).Renew())
				must(t, session.FromContext(ctx).SetOwner("ann"))
			})
			check(t, "cookies after the login", len(b.lines), 2)
			s.take()
			b.visit(after, func(ctx context.Context) { wantValue(t, ctx, user, "ann") })
			check(t, "store calls with both, and to confirm", s.take(), calls{loads: 3})
			check(t, "cookies once both were seen", len(b.lines), 1)
			check(t, "the last line of them sets the cookie", b.last.MaxAge >= 0, true) // for clients that can't tell scopes apart
			s.take()
			b.visit(after, func(ctx context.Context) { wantValue(t, ctx, user, "ann") })
			check(t, "store calls with one", s.take(), calls{loads: 1})
		})
	}
}

// The live session may be in the cookie with the old scope: it moves to the new one.
func TestLiveSessionOfTheOldScopeMoves(t *testing.T) {
	s := newSpy()
	before := newManagerOn(t, s, &session.Config{Cookie: session.Cookie{Name: "sid"}})
	after := newManagerOn(t, s, &session.Config{Cookie: session.Cookie{Name: "sid", Domain: "example.com"}})
	b := newScopedJar("https://example.com/")
	var id session.ID
	b.visit(after, func(ctx context.Context) {
		must(t, user.Set(ctx, "dead soon"))
		id = session.FromContext(ctx).ID()
	})
	both := b.lines
	b.lines = nil
	b.visit(before, func(ctx context.Context) { must(t, user.Set(ctx, "ann")) })
	for key, line := range both {
		b.lines[key] = line
	}
	must(t, before.End(t.Context(), id))
	check(t, "cookies", len(b.lines), 2)
	for range 2 {
		b.visit(after, func(ctx context.Context) { wantValue(t, ctx, user, "ann") })
	}
	check(t, "cookies of the new scope", strings.HasPrefix(b.only(t), "example.com"), true)
}

// Two live sessions are refused both; to log out ends both.
func TestTwoLiveSessionsAreRefusedBoth(t *testing.T) {
	m, s := newManager(t, nil)
	a, _ := issue(t, m, "alice")
	b, _ := issue(t, m, "bob")
	line := cookieName + "=" + a + "; " + cookieName + "=" + b
	got, w := read(m, line)
	check(t, "got", got, nothing)
	check(t, "cookies", len(w.Result().Cookies()), 0)
	ask(m, line, func(ctx context.Context) { must(t, session.FromContext(ctx).End()) })
	check(t, "sessions", s.mem.Len(), 0)
}

func TestRetiredAndDeadTokensTogether(t *testing.T) {
	m, _ := newManager(t, nil)
	dead, ended := issue(t, m, "alice")
	must(t, m.End(t.Context(), ended.ID()))
	retired, renewed := issue(t, m, "bob")
	must(t, renewed.Renew())
	must(t, renewed.Commit(t.Context()))
	w := ask(m, cookieName+"="+dead+"; "+cookieName+"="+retired, func(ctx context.Context) {
		wantValue(t, ctx, who, "")
		checkErr(t, "Set", who.Set(ctx, "x"), session.ErrEnded)
	})
	check(t, "status", w.Code, http.StatusConflict)
	check(t, "cookies", len(w.Result().Cookies()), 0)
}

func TestSeveralTokensWhileTheStoreIsDown(t *testing.T) {
	m, s := newManager(t, nil)
	a, _ := issue(t, m, "alice")
	b, second := issue(t, m, "bob")
	must(t, m.End(t.Context(), second.ID()))
	s.onLoad = fail
	line := cookieName + "=" + a + "; " + cookieName + "=" + b
	w := ask(m, line, func(ctx context.Context) {
		_, err := who.Get(ctx)
		checkErr(t, "Get", err, session.ErrUnavailable)
		s.onLoad = nil
		must(t, session.FromContext(ctx).Reload(ctx))
		wantValue(t, ctx, who, "alice")
	})
	check(t, "status", w.Code, http.StatusOK)
}

// Logging out with more cookies than are looked at ends every session that they open, or says that it did not.
func TestEndWithManyTokens(t *testing.T) {
	m, s := newManager(t, nil)
	a, _ := issue(t, m, "alice")
	line := strings.Repeat(cookieName+"=forged; ", signed.MaxCandidates) + cookieName + "=" + a
	w := ask(m, line, func(ctx context.Context) { must(t, session.FromContext(ctx).End()) })
	check(t, "status", w.Code, http.StatusOK)
	check(t, "sessions after End", s.mem.Len(), 0)

	line = ""
	for i := range signed.MaxCandidates + 1 {
		token, _ := issue(t, m, fmt.Sprint(i))
		line += cookieName + "=" + token + "; "
	}
	w = ask(m, line, func(ctx context.Context) {
		checkErr(t, "End of too many", session.FromContext(ctx).End(), session.ErrConflict)
	})
	check(t, "status", w.Code, http.StatusConflict)
	check(t, "sessions", s.mem.Len(), signed.MaxCandidates+1)
}

// A logout with two cookies whose store calls fail has logged nobody out.
func TestEndWithTwoTokensFails(t *testing.T) {
	for _, tt := range []struct {
		name   string
		breaks func(s *spy)
	}{
		{"load", func(s *spy) { s.onLoad = fail }},
		{"end", func(s *spy) { s.onEnd = fail }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, s := newManager(t, nil)
			a, _ := issue(t, m, "alice")
			b, _ := issue(t, m, "bob")
			w := ask(m, cookieName+"="+a+"; "+cookieName+"="+b, func(ctx context.Context) {
				wantValue(t, ctx, who, "")
				tt.breaks(s)
				checkErr(t, "End", session.FromContext(ctx).End(), session.ErrUnavailable)
			})
			check(t, "status", w.Code, http.StatusServiceUnavailable)
			check(t, "cookies", len(w.Result().Cookies()), 0)
			check(t, "sessions", s.mem.Len(), 2)
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
	check(t, "cookies", len(b.lines), 1)
	for key = range b.lines {
	}
	return key
}
