package session_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/service"
	"github.com/lazysession/session/sessiontest"
	"github.com/lazysession/session/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A job makes a session, another process goes on with it by its token.
func TestSessionOutsideHTTP(t *testing.T) {
	s := fixture.NewStore()
	here := fixture.NewManagerOn(t, s, &session.Config{Keys: [][]byte{fixture.KeyA}})
	there := fixture.NewManagerOn(t, s, &session.Config{Keys: [][]byte{fixture.KeyA}})
	visits := session.NewCounter("visits")

	made, err := here.Create(t.Context())
	expect.OK(t, err)
	expect.Equal(t, "store calls of Create", s.Take(), fixture.Calls{Commits: 1})
	exists, err := made.Exists()
	expect.OK(t, err)
	expect.Equal(t, "exists", exists, true)
	ctx := session.NewContext(t.Context(), made)
	expect.OK(t, fixture.Who.Set(ctx, "alice"))
	_, err = visits.Add(ctx, 2)
	expect.OK(t, err)
	expect.Equal(t, "store calls before Commit", s.Take(), fixture.Calls{})
	expect.OK(t, made.Commit(ctx))
	expect.Equal(t, "store calls of Commit", s.Take(), fixture.Calls{Commits: 1})
	token, err := made.Token()
	expect.OK(t, err)

	opened, err := there.Open(t.Context(), token)
	expect.OK(t, err)
	expect.Equal(t, "store calls of Open", s.Take(), fixture.Calls{Loads: 1})
	expect.Equal(t, "ID", opened.ID(), made.ID())
	ctx = session.NewContext(t.Context(), opened)
	name, err := fixture.Who.Get(ctx)
	expect.OK(t, err)
	expect.Equal(t, "who", name, "alice")
	n, err := visits.Add(ctx, 3)
	expect.OK(t, err)
	expect.Equal(t, "visits", n, 5)
	expect.OK(t, opened.Commit(ctx))

	expect.OK(t, made.Reload(t.Context()))
	n, err = visits.Get(session.NewContext(t.Context(), made))
	expect.OK(t, err)
	expect.Equal(t, "visits, after Reload", n, 5)

	expect.OK(t, opened.End())
	_, err = here.Open(t.Context(), token)
	expect.Is(t, "Open, after End", err, session.ErrEnded)
	expect.OK(t, fixture.Who.Set(session.NewContext(t.Context(), made), "mallory"))
	expect.Is(t, "Commit, after End elsewhere", made.Commit(t.Context()), session.ErrEnded)
}

func TestTokenOutsideHTTPOpensRequestsAndBack(t *testing.T) {
	m, _ := fixture.NewManager(t, &session.Config{Keys: [][]byte{fixture.KeyA}})
	token, s := fixture.Issue(t, m, "alice")
	got, _ := fixture.Read(m, fixture.CookieName+"="+token)
	expect.Equal(t, "reading by the cookie", got, fixture.Reading{Who: "alice", Exists: true, ID: s.ID()})

	_, w := fixture.Write(t, m, "", "bob")
	opened, err := m.Open(t.Context(), fixture.SentToken(w, fixture.CookieName))
	expect.OK(t, err)
	name, err := fixture.Who.Get(session.NewContext(t.Context(), opened))
	expect.OK(t, err)
	expect.Equal(t, "who, by Open", name, "bob")
}

func TestOpenRefuses(t *testing.T) {
	m, s := fixture.NewManager(t, &session.Config{Keys: [][]byte{fixture.KeyA}})
	token, alice := fixture.Issue(t, m, "alice")
	expect.OK(t, alice.Renew())
	expect.OK(t, alice.Commit(t.Context()))
	ended, bob := fixture.Issue(t, m, "bob")
	expect.OK(t, bob.End())
	for _, tt := range []struct {
		name, token string
		loads       int64
	}{
		{"no token", "", 0},
		{"garbage", "x", 0},
		{"a foreign key's", fixture.Sign(t, fixture.KeyB, fixture.CookieName, make([]byte, 32)), 0},
		{"an unknown one", fixture.Sign(t, fixture.KeyA, fixture.CookieName, make([]byte, 32)), 1},
		{"one that was renewed", token, 1},
		{"one of an ended session", ended, 1},
	} {
		s.Take()
		got, err := m.Open(t.Context(), tt.token)
		expect.Is(t, "Open of "+tt.name, err, session.ErrEnded)
		expect.Equal(t, "there is a session for "+tt.name, got != nil, false)
		expect.Equal(t, "store calls for "+tt.name, s.Take(), fixture.Calls{Loads: tt.loads})
	}
	s.Broken.Fail(fixture.ErrStore, sessiontest.Load)
	_, err := m.Open(t.Context(), token)
	expect.Is(t, "Open, where the store fails", err, session.ErrUnavailable)
	expect.Is(t, "its cause", err, fixture.ErrStore)
	s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	_, err = m.Create(t.Context())
	expect.Is(t, "Create, where the store fails", err, session.ErrUnavailable)
}

// bare is a store with nothing but its three methods.
type bare struct{ store.Store }

func TestManagementThatTheStoreCannotDo(t *testing.T) {
	m := fixture.NewManagerOn(t, bare{fixture.NewStore()}, nil)
	for info, err := range m.Sessions(t.Context(), session.Filter{All: true}) {
		expect.Is(t, "Sessions", err, errors.ErrUnsupported)
		expect.Equal(t, "there is an ID", !info.ID.IsZero(), false)
	}
	_, err := m.EndOwner(t.Context(), "alice")
	expect.Is(t, "EndOwner", err, errors.ErrUnsupported)
	expect.Equal(t, "EndOwner names the store", strings.Contains(fmt.Sprint(err), "session_test.bare"), true)
	_, s := fixture.Issue(t, m, "alice")
	expect.OK(t, m.End(t.Context(), s.ID()))
}

func idsOf(t *testing.T, seq iter.Seq2[session.Info, error]) map[session.ID]session.Info {
	t.Helper()
	all := make(map[session.ID]session.Info)
	for info, err := range seq {
		expect.OK(t, err)
		if _, twice := all[info.ID]; twice {
			t.Errorf("session %v comes twice", info.ID)
		}
		all[info.ID] = info
	}
	return all
}

func TestSessionsLists(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	a, b, nobody := ownedBy(t, m, "alice"), ownedBy(t, m, "alice"), ownedBy(t, m, "")
	c := ownedBy(t, m, "bob")
	expect.OK(t, a.SetLabel("device", "phone"))
	expect.OK(t, fixture.Who.Set(session.NewContext(t.Context(), a), "alice"))
	expect.OK(t, a.Commit(t.Context()))

	all := idsOf(t, m.Sessions(t.Context(), session.Filter{All: true}))
	expect.Equal(t, "sessions", len(all), 4)
	for _, s := range []*session.Session{a, b, c, nobody} {
		_, listed := all[s.ID()]
		expect.Equal(t, "a session is listed", listed, true)
	}
	expect.Equal(t, "owner", all[a.ID()].Owner, "alice")
	expect.Equal(t, "label", all[a.ID()].Labels["device"], "phone")
	expect.Equal(t, "values", all[a.ID()].Count, 1)
	expect.Equal(t, "bytes", all[a.ID()].Size, len(`who"alice"devicephone`))

	expect.Equal(t, "alice's sessions", len(idsOf(t, m.Sessions(t.Context(), session.Filter{Owner: "alice"}))), 2)
	expect.Equal(t, "the empty owner's sessions", len(idsOf(t, m.Sessions(t.Context(), session.Filter{}))), 0)
	expect.Equal(t, "nobody's namesake's sessions", len(idsOf(t, m.Sessions(t.Context(), session.Filter{Owner: "ali"}))), 0)

	n := 0
	for range m.Sessions(t.Context(), session.Filter{All: true}) {
		n++
		break
	}
	expect.Equal(t, "sessions until the loop is left", n, 1)

	s.Clock.Advance(time.Hour)
	expect.Equal(t, "sessions after they have expired", len(idsOf(t, m.Sessions(t.Context(), session.Filter{All: true}))), 0)
}

// breaks is a store whose list breaks off.
type breaks struct{ *fixture.Store }

func (b breaks) List(ctx context.Context, f store.Filter) iter.Seq2[*store.Record, error] {
	return func(yield func(*store.Record, error) bool) {
		for rec := range b.Store.List(ctx, f) {
			if !yield(rec, nil) || !yield(nil, fixture.ErrStore) {
				return
			}
		}
	}
}

func TestSessionsEndAfterAnError(t *testing.T) {
	m := fixture.NewManagerOn(t, breaks{fixture.NewStore()}, nil)
	for range 3 {
		fixture.Issue(t, m, "alice")
	}
	var infos, errs int
	for info, err := range m.Sessions(t.Context(), session.Filter{All: true}) {
		if err == nil {
			infos++
			continue
		}
		errs++
		expect.Is(t, "the error", err, session.ErrUnavailable)
		expect.Is(t, "its cause", err, fixture.ErrStore)
		expect.Equal(t, "an ID comes with the error", !info.ID.IsZero(), false)
	}
	expect.Equal(t, "sessions before the error", infos, 1)
	expect.Equal(t, "errors", errs, 1)
}

func TestEndAndEndOwner(t *testing.T) {
	m, s := fixture.NewManager(t, &session.Config{Keys: [][]byte{fixture.KeyA}})
	a, b, c, d := ownedBy(t, m, "alice"), ownedBy(t, m, "alice"), ownedBy(t, m, "alice"), ownedBy(t, m, "bob")
	tokens := make(map[*session.Session]string)
	for _, s := range []*session.Session{a, b, c, d} {
		token, err := s.Token()
		expect.OK(t, err)
		tokens[s] = token
	}
	alive := func() (all [4]bool) {
		for i, s := range []*session.Session{a, b, c, d} {
			all[i] = opens(m, tokens[s])
		}
		return all
	}

	expect.OK(t, m.End(t.Context(), a.ID()))
	expect.Equal(t, "alive after End", alive(), [4]bool{false, true, true, true})
	expect.OK(t, m.End(t.Context(), a.ID()))
	expect.OK(t, m.End(t.Context(), session.ID{1, 2, 3}))
	expect.Equal(t, "alive after End of what is gone", alive(), [4]bool{false, true, true, true})

	n, err := m.EndOwner(t.Context(), "alice", b.ID())
	expect.OK(t, err)
	expect.Equal(t, "ended, with one excepted", n, 1)
	expect.Equal(t, "alive", alive(), [4]bool{false, true, false, true})
	n, err = m.EndOwner(t.Context(), "")
	expect.OK(t, err)
	expect.Equal(t, "ended of nobody's", n, 0)
	n, err = m.EndOwner(t.Context(), "alice")
	expect.OK(t, err)
	expect.Equal(t, "ended", n, 1)
	expect.Equal(t, "alive in the end", alive(), [4]bool{false, false, false, true})

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	expect.Is(t, "End, after the client has gone", m.End(gone, d.ID()), nil)
	expect.Equal(t, "alive after that", alive(), [4]bool{})

	s.Broken.Fail(fixture.ErrStore, sessiontest.End)
	expect.Is(t, "End, where the store fails", m.End(t.Context(), d.ID()), session.ErrUnavailable)
}

func TestTwoManagersHaveTwoSessions(t *testing.T) {
	services := service.NewRegistry(nil)
	shop, _ := fixture.NewManager(t, &session.Config{Services: services})
	staff, _ := fixture.NewManager(t, &session.Config{Services: services, Cookie: session.Cookie{Name: "__Host-staff"}})
	other, _ := fixture.NewManager(t, nil)
	w := httptest.NewRecorder()
	shop.Handler(staff.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		expect.Equal(t, "FromContext is the inner Manager's", session.FromContext(ctx) == staff.Session(ctx), true)
		expect.Equal(t, "the outer Manager has another", shop.Session(ctx) != staff.Session(ctx), true)
		_, err := other.Session(ctx).Exists()
		expect.Is(t, "the session of a Manager that is not there", err, session.ErrNoMiddleware)

		expect.OK(t, fixture.Who.Set(session.NewContext(ctx, shop.Session(ctx)), "customer"))
		expect.OK(t, fixture.Who.Set(ctx, "clerk"))
		got, err := service.QueryNamed[*session.Manager](ctx, "__Host-staff")
		expect.OK(t, err)
		expect.Equal(t, "the second Manager is provided under its cookie's name", got == staff, true)
		got, err = service.Query[*session.Manager](ctx)
		expect.OK(t, err)
		expect.Equal(t, "the first Manager is provided", got == shop, true)
	}))).ServeHTTP(w, httptest.NewRequest("GET", "https://example.com/", nil))
	for cookie, m := range map[string]*session.Manager{fixture.CookieName: shop, "__Host-staff": staff} {
		expect.Equal(t, "a token is sent as "+cookie, opens(m, fixture.SentToken(w, cookie)), true)
	}
	expect.Equal(t, "one Manager opens the other's token", opens(shop, fixture.SentToken(w, "__Host-staff")), false)

	_, err := session.New(fixture.NewStore(), &session.Config{
		Keys: [][]byte{fixture.KeyA}, Services: services, Cookie: session.Cookie{Name: "__Host-staff"},
	})
	if err == nil || !strings.Contains(err.Error(), `"__Host-staff"`) {
		t.Errorf("New with a name that is taken: got error %v, want one that names the cookie", err)
	}
}

// mixedUp is a store that returns other records than it should.
type mixedUp struct {
	*fixture.Store
	load, commit func(*store.Record) *store.Record
}

func (s mixedUp) Load(ctx context.Context, token store.Token) (*store.Record, error) {
	rec, err := s.Store.Load(ctx, token)
	if err == nil && s.load != nil {
		rec = s.load(rec)
	}
	return rec, err
}

func (s mixedUp) Commit(ctx context.Context, token store.Token, change *store.Change) (*store.Record, error) {
	rec, err := s.Store.Commit(ctx, token, change)
	if err == nil && s.commit != nil {
		rec = s.commit(rec)
	}
	return rec, err
}

// A pooled connection's late answer, say. Nobody may see what is another's, and nobody may be told that it went well.
func TestRecordsOfSomebodyElse(t *testing.T) {
	none := func(*store.Record) *store.Record { return nil }
	otherToken := func(r *store.Record) *store.Record { r = new(*r); r.Token[0]++; return r }
	otherID := func(r *store.Record) *store.Record { r = new(*r); r.ID[0]++; return r }
	reads := func(ctx context.Context) error { _, err := fixture.Who.Get(ctx); return err }
	writes := func(ctx context.Context) error {
		expect.OK(t, fixture.Who.Set(ctx, "x"))
		return session.FromContext(ctx).Commit(ctx)
	}
	for _, tt := range []struct {
		name         string
		load, commit func(*store.Record) *store.Record
		do           func(context.Context) error
	}{
		{"no record, at a load", none, nil, reads},
		{"a record of another token, at a load", otherToken, nil, reads},
		{"no record, at a commit", nil, none, writes},
		{"a record of another token, at a commit", nil, otherToken, writes},
		{"a record of another ID, at a commit", nil, otherID, writes},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log fixture.Logbook
			s := fixture.NewStore()
			token, alice := fixture.Issue(t, fixture.NewManagerOn(t, s, &session.Config{Keys: [][]byte{fixture.KeyA}}), "alice")
			m := fixture.NewManagerOn(t, mixedUp{s, tt.load, tt.commit}, &session.Config{Keys: [][]byte{fixture.KeyA}, Logger: log.Logger()})
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", "https://example.com/", nil)
			r.Header.Set("Cookie", fixture.CookieName+"="+token)
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				expect.Is(t, "result", tt.do(r.Context()), session.ErrUnavailable)
				name, err := fixture.Who.Get(r.Context())
				expect.Is(t, "reading after that", err, session.ErrUnavailable)
				expect.Equal(t, "who", name, "")
				expect.Equal(t, "ID", session.FromContext(r.Context()).ID(), session.ID{})
			})).ServeHTTP(w, r)
			expect.Equal(t, "cookies set", len(w.Result().Cookies()), 0)
			expect.Equal(t, "log lines of the refusal", log.Count("record refused"), 1)
			expect.Equal(t, "log level", log.Count("level=ERROR") >= 1, true)
			expect.Equal(t, "log lines that name the session asked for", tt.load == nil || log.Count(alice.ID().String()) <= 1, true)
		})
	}

	t.Run("at the creation", func(t *testing.T) {
		for name, wrong := range map[string]func(*store.Record) *store.Record{"none": none, "token": otherToken, "ID": otherID} {
			m := fixture.NewManagerOn(t, mixedUp{fixture.NewStore(), nil, wrong}, nil)
			s, err := m.Create(t.Context())
			expect.Is(t, "Create, with another "+name, err, session.ErrUnavailable)
			expect.Equal(t, "there is a session", s != nil, false)
		}
	})
}

// A secretWatch looks for tokens in whatever the outside world can see.
type secretWatch struct {
	t     *testing.T
	forms map[string]string
}

// guard notes a signed token, its secret and the secret's hash, in each form in which they might be printed.
func (s *secretWatch) guard(signed, name string) {
	raw := fixture.RawOf(s.t, fixture.KeyA, name, signed)
	hash := store.HashToken(raw)
	s.forms[signed[20:60]] = "a signed token"
	for what, secret := range map[string][]byte{"a raw token": raw, "a token's hash": hash[:]} {
		s.forms[hex.EncodeToString(secret[4:12])] = what + " in hex"
		s.forms[strings.ToUpper(hex.EncodeToString(secret[4:12]))] = what + " in HEX"
		s.forms[base64.StdEncoding.EncodeToString(secret)[:12]] = what + " in base64"
		s.forms[base64.RawURLEncoding.EncodeToString(secret)[:12]] = what + " in base64 for URLs"
		s.forms[strings.Trim(fmt.Sprintf("%d", secret[4:12]), "[]")] = what + " in decimal"
		s.forms[strings.Trim(fmt.Sprintf("%#v", secret[4:8]), "[]byte{}")] = what + " as Go writes it"
		s.forms[string(secret[4:12])] = what + " as it is"
	}
}

func (s *secretWatch) look(where, text string) {
	s.t.Helper()
	for form, what := range s.forms {
		if strings.Contains(text, form) {
			s.t.Errorf("%s shows %s: %.400q", where, what, text)
		}
	}
}

func (s *secretWatch) print(where string, v any) {
	s.t.Helper()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		s.look(where+" with "+verb, fmt.Sprintf(verb, v))
	}
	doc, _ := json.Marshal(v)
	s.look(where+" as JSON", string(doc))
	var text, structured bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("x", slog.Any("v", v))
	slog.New(slog.NewJSONHandler(&structured, nil)).Info("x", slog.Any("v", v))
	s.look(where+" in a log", text.String())
	s.look(where+" in a log of JSON", structured.String())
}

// tattler is a store that says in its errors what it was asked for, as careless ones do.
type tattler struct{ *fixture.Store }

func (s tattler) tell(token store.Token, err error) error {
	if err != nil {
		err = fmt.Errorf("%w: asked for %v, %s, %x, %d, %#v", err, token, token, token, token, token)
	}
	return err
}

func (s tattler) Load(ctx context.Context, token store.Token) (*store.Record, error) {
	rec, err := s.Store.Load(ctx, token)
	return rec, s.tell(token, err)
}

func (s tattler) Commit(ctx context.Context, token store.Token, change *store.Change) (*store.Record, error) {
	rec, err := s.Store.Commit(ctx, token, change)
	if err != nil {
		err = fmt.Errorf("%w: %+v", err, *change)
	}
	return rec, s.tell(token, err)
}

func TestTokensShowNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log fixture.Logbook
		s := tattler{fixture.NewStore()}
		m := fixture.NewManagerOn(t, s, &session.Config{Keys: [][]byte{fixture.KeyA}, Logger: log.Logger(), StoreTimeout: time.Second})
		watch := &secretWatch{t: t, forms: map[string]string{
			string(fixture.KeyA): "a key", hex.EncodeToString(fixture.KeyA): "a key in hex", "65 65 65 65 65 65": "a key in decimal",
		}}
		token, alice := fixture.Issue(t, m, "alice")
		other, bob := fixture.Issue(t, m, "bob")
		ended, carol := fixture.Issue(t, m, "carol")
		expect.OK(t, alice.SetOwner("alice"))
		expect.OK(t, alice.Commit(t.Context()))
		for _, signed := range []string{token, other, ended} {
			watch.guard(signed, fixture.CookieName)
		}
		m.Subscribe(func(e session.Event) { watch.print("an Event", e); panic(e) })
		expect.OK(t, carol.End())

		serve := func(line string, do func(w http.ResponseWriter, r *http.Request) error) {
			r := httptest.NewRequest("GET", "https://example.com/", nil)
			r.Header.Set("Cookie", line)
			w := httptest.NewRecorder()
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := do(w, r); err != nil {
					watch.print("an error", err)
				}
				watch.print("the Session in its request", session.FromContext(r.Context()))
				watch.look("the request's context", fmt.Sprintf("%v %+v %#v", r.Context(), r.Context(), r.Context()))
				ctx := context.WithValue(r.Context(), valueKey{}, 1)
				watch.look("a context made from it", fmt.Sprintf("%v", ctx))
				watch.look("the response writer", fmt.Sprintf("%v %+v %#v", w, w, w))
			})).ServeHTTP(w, r)
			watch.look("the body of a response", w.Body.String())
		}
		gets := func(_ http.ResponseWriter, r *http.Request) error { _, err := fixture.Who.Get(r.Context()); return err }
		sets := func(_ http.ResponseWriter, r *http.Request) error {
			return errors.Join(fixture.Who.Set(r.Context(), "x"), session.FromContext(r.Context()).Commit(r.Context()))
		}
		renews := func(_ http.ResponseWriter, r *http.Request) error { return session.FromContext(r.Context()).Renew() }
		late := func(w http.ResponseWriter, r *http.Request) error {
			w.WriteHeader(http.StatusOK)
			return errors.Join(fixture.Who.Set(r.Context(), "x"), session.FromContext(r.Context()).Renew())
		}
		ends := func(_ http.ResponseWriter, r *http.Request) error { return session.FromContext(r.Context()).End() }
		every := map[string]func(http.ResponseWriter, *http.Request) error{
			"get": gets, "set": sets, "renew": renews, "late": late, "end": ends,
		}
		lines := []string{
			fixture.CookieName + "=" + token, fixture.CookieName + "=" + token[1:], fixture.CookieName + "=" + ended,
			fixture.CookieName + "=" + token + "; " + fixture.CookieName + "=" + other, fixture.CookieName + "=." + token,
		}
		for _, broken := range []func(){
			func() { s.Broken.Fail(fixture.ErrStore) },
			func() { s.Broken.Fail(fixture.ErrStore, sessiontest.Commit, sessiontest.End) },
			func() { s.Broken.Fail(store.ErrRetired, sessiontest.Load) },
			func() { s.Broken.Fail(store.ErrConflict, sessiontest.Commit) },
			func() { s.Broken.Fail(store.ErrNotFound, sessiontest.Commit) },
			s.Broken.Mend,
		} {
			broken()
			for _, line := range lines {
				for _, do := range every {
					serve(line, do)
				}
				_, err := m.Open(t.Context(), strings.TrimPrefix(line, fixture.CookieName+"="))
				if err != nil {
					watch.print("an error of Open", err)
				}
			}
		}

		watch.print("a Session", bob)
		watch.print("a pointer to a Session in a struct", struct{ S *session.Session }{bob})
		watch.print("the Manager", m)
		watch.print("a Key", fixture.Who)
		info, err := bob.Info()
		expect.OK(t, err)
		watch.print("Info", info)
		watch.print("an ID", bob.ID())
		for info, err := range m.Sessions(t.Context(), session.Filter{All: true}) {
			expect.OK(t, err)
			watch.print("a listed Info", info)
		}
		values, err := bob.Values()
		expect.OK(t, err)
		watch.print("the values", values)
		watch.print("a context with a Session", session.NewContext(context.Background(), bob))

		synctest.Wait()
		watch.look("the log", log.String())
		for _, line := range []string{"token refused", "store unavailable", "response refused", "a subscriber panicked"} {
			if log.Count(line) == 0 {
				t.Errorf("the log has no line %q: this test drives less than it says", line)
			}
		}
	})
}
