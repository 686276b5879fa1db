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
	"github.com/lazysession/session/service"
	"github.com/lazysession/session/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A job makes a session, another process goes on with it by its token.
func TestSessionOutsideHTTP(t *testing.T) {
	s := newSpy()
	here := newManagerOn(t, s, &session.Config{Keys: [][]byte{keyA}})
	there := newManagerOn(t, s, &session.Config{Keys: [][]byte{keyA}})
	visits := session.NewCounter("visits")

	made, err := here.Create(t.Context())
	must(t, err)
	check(t, "store calls of Create", s.take(), calls{commits: 1})
	exists, err := made.Exists()
	must(t, err)
	check(t, "exists", exists, true)
	ctx := session.NewContext(t.Context(), made)
	must(t, who.Set(ctx, "alice"))
	_, err = visits.Add(ctx, 2)
	must(t, err)
	check(t, "store calls before Commit", s.take(), calls{})
	must(t, made.Commit(ctx))
	check(t, "store calls of Commit", s.take(), calls{commits: 1})
	token, err := made.Token()
	must(t, err)

	opened, err := there.Open(t.Context(), token)
	must(t, err)
	check(t, "store calls of Open", s.take(), calls{loads: 1})
	check(t, "ID", opened.ID(), made.ID())
	ctx = session.NewContext(t.Context(), opened)
	name, err := who.Get(ctx)
	must(t, err)
	check(t, "who", name, "alice")
	n, err := visits.Add(ctx, 3)
	must(t, err)
	check(t, "visits", n, 5)
	must(t, opened.Commit(ctx))

	must(t, made.Reload(t.Context()))
	n, err = visits.Get(session.NewContext(t.Context(), made))
	must(t, err)
	check(t, "visits, after Reload", n, 5)

	must(t, opened.End())
	_, err = here.Open(t.Context(), token)
	checkErr(t, "Open, after End", err, session.ErrEnded)
	must(t, who.Set(session.NewContext(t.Context(), made), "mallory"))
	checkErr(t, "Commit, after End elsewhere", made.Commit(t.Context()), session.ErrEnded)
}

func TestTokenOutsideHTTPOpensRequestsAndBack(t *testing.T) {
	m, _ := newManager(t, &session.Config{Keys: [][]byte{keyA}})
	token, s := issue(t, m, "alice")
	got, _ := read(m, cookieName+"="+token)
	check(t, "reading by the cookie", got, reading{who: "alice", exists: true, id: s.ID()})

	_, w := write(t, m, "", "bob")
	opened, err := m.Open(t.Context(), sentToken(w, cookieName))
	must(t, err)
	name, err := who.Get(session.NewContext(t.Context(), opened))
	must(t, err)
	check(t, "who, by Open", name, "bob")
}

func TestOpenRefuses(t *testing.T) {
	m, s := newManager(t, &session.Config{Keys: [][]byte{keyA}})
	token, alice := issue(t, m, "alice")
	must(t, alice.Renew())
	must(t, alice.Commit(t.Context()))
	ended, bob := issue(t, m, "bob")
	must(t, bob.End())
	for _, tt := range []struct {
		name, token string
		loads       int64
	}{
		{"no token", "", 0},
		{"garbage", "x", 0},
		{"a foreign key's", sign(t, keyB, cookieName, make([]byte, 32)), 0},
		{"an unknown one", sign(t, keyA, cookieName, make([]byte, 32)), 1},
		{"one that was renewed", token, 1},
		{"one of an ended session", ended, 1},
	} {
		s.take()
		got, err := m.Open(t.Context(), tt.token)
		checkErr(t, "Open of "+tt.name, err, session.ErrEnded)
		check(t, "there is a session for "+tt.name, got != nil, false)
		check(t, "store calls for "+tt.name, s.take(), calls{loads: tt.loads})
	}
	s.onLoad = fail
	_, err := m.Open(t.Context(), token)
	checkErr(t, "Open, where the store fails", err, session.ErrUnavailable)
	checkErr(t, "its cause", err, errStore)
	s.onCommit = fail
	_, err = m.Create(t.Context())
	checkErr(t, "Create, where the store fails", err, session.ErrUnavailable)
}

// bare is a store with nothing but its three methods.
type bare struct{ store.Store }

func TestManagementThatTheStoreCannotDo(t *testing.T) {
	m := newManagerOn(t, bare{newSpy()}, nil)
	for info, err := range m.Sessions(t.Context(), session.Filter{All: true}) {
		checkErr(t, "Sessions", err, errors.ErrUnsupported)
		check(t, "there is an ID", !info.ID.IsZero(), false)
	}
	_, err := m.EndOwner(t.Context(), "alice")
	checkErr(t, "EndOwner", err, errors.ErrUnsupported)
	check(t, "EndOwner names the store", strings.Contains(fmt.Sprint(err), "session_test.bare"), true)
	_, s := issue(t, m, "alice")
	must(t, m.End(t.Context(), s.ID()))
}

func idsOf(t *testing.T, seq iter.Seq2[session.Info, error]) map[session.ID]session.Info {
	t.Helper()
	all := make(map[session.ID]session.Info)
	for info, err := range seq {
		must(t, err)
		if _, twice := all[info.ID]; twice {
			t.Errorf("session %v comes twice", info.ID)
		}
		all[info.ID] = info
	}
	return all
}

func TestSessionsLists(t *testing.T) {
	m, s := newManager(t, nil)
	a, b, nobody := ownedBy(t, m, "alice"), ownedBy(t, m, "alice"), ownedBy(t, m, "")
	c := ownedBy(t, m, "bob")
	must(t, a.SetLabel("device", "phone"))
	must(t, who.Set(session.NewContext(t.Context(), a), "alice"))
	must(t, a.Commit(t.Context()))

	all := idsOf(t, m.Sessions(t.Context(), session.Filter{All: true}))
	check(t, "sessions", len(all), 4)
	for _, s := range []*session.Session{a, b, c, nobody} {
		_, listed := all[s.ID()]
		check(t, "a session is listed", listed, true)
	}
	check(t, "owner", all[a.ID()].Owner, "alice")
	check(t, "label", all[a.ID()].Labels["device"], "phone")
	check(t, "values", all[a.ID()].Count, 1)
	check(t, "bytes", all[a.ID()].Size, len(`who"alice"devicephone`))

	check(t, "alice's sessions", len(idsOf(t, m.Sessions(t.Context(), session.Filter{Owner: "alice"}))), 2)
	check(t, "the empty owner's sessions", len(idsOf(t, m.Sessions(t.Context(), session.Filter{}))), 0)
	check(t, "nobody's namesake's sessions", len(idsOf(t, m.Sessions(t.Context(), session.Filter{Owner: "ali"}))), 0)

	n := 0
	for range m.Sessions(t.Context(), session.Filter{All: true}) {
		n++
		break
	}
	check(t, "sessions until the loop is left", n, 1)

	s.advance(time.Hour)
	check(t, "sessions after they have expired", len(idsOf(t, m.Sessions(t.Context(), session.Filter{All: true}))), 0)
}

// breaks is a store whose list breaks off.
type breaks struct{ *spy }

func (b breaks) List(ctx context.Context, f store.Filter) iter.Seq2[*store.Record, error] {
	return func(yield func(*store.Record, error) bool) {
		for rec := range b.spy.List(ctx, f) {
			if !yield(rec, nil) || !yield(nil, errStore) {
				return
			}
		}
	}
}

func TestSessionsEndAfterAnError(t *testing.T) {
	m := newManagerOn(t, breaks{newSpy()}, nil)
	for range 3 {
		issue(t, m, "alice")
	}
	var infos, errs int
	for info, err := range m.Sessions(t.Context(), session.Filter{All: true}) {
		if err == nil {
			infos++
			continue
		}
		errs++
		checkErr(t, "the error", err, session.ErrUnavailable)
		checkErr(t, "its cause", err, errStore)
		check(t, "an ID comes with the error", !info.ID.IsZero(), false)
	}
	check(t, "sessions before the error", infos, 1)
	check(t, "errors", errs, 1)
}

func TestEndAndEndOwner(t *testing.T) {
	m, s := newManager(t, &session.Config{Keys: [][]byte{keyA}})
	a, b, c, d := ownedBy(t, m, "alice"), ownedBy(t, m, "alice"), ownedBy(t, m, "alice"), ownedBy(t, m, "bob")
	tokens := make(map[*session.Session]string)
	for _, s := range []*session.Session{a, b, c, d} {
		token, err := s.Token()
		must(t, err)
		tokens[s] = token
	}
	alive := func() (all [4]bool) {
		for i, s := range []*session.Session{a, b, c, d} {
			all[i] = opens(m, tokens[s])
		}
		return all
	}

	must(t, m.End(t.Context(), a.ID()))
	check(t, "alive after End", alive(), [4]bool{false, true, true, true})
	must(t, m.End(t.Context(), a.ID()))
	must(t, m.End(t.Context(), session.ID{1, 2, 3}))
	check(t, "alive after End of what is gone", alive(), [4]bool{false, true, true, true})

	n, err := m.EndOwner(t.Context(), "alice", b.ID())
	must(t, err)
	check(t, "ended, with one excepted", n, 1)
	check(t, "alive", alive(), [4]bool{false, true, false, true})
	n, err = m.EndOwner(t.Context(), "")
	must(t, err)
	check(t, "ended of nobody's", n, 0)
	n, err = m.EndOwner(t.Context(), "alice")
	must(t, err)
	check(t, "ended", n, 1)
	check(t, "alive in the end", alive(), [4]bool{false, false, false, true})

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	checkErr(t, "End, after the client has gone", m.End(gone, d.ID()), nil)
	check(t, "alive after that", alive(), [4]bool{})

	s.onEnd = fail
	checkErr(t, "End, where the store fails", m.End(t.Context(), d.ID()), session.ErrUnavailable)
}

func TestTwoManagersHaveTwoSessions(t *testing.T) {
	services := service.NewRegistry(nil)
	shop, _ := newManager(t, &session.Config{Services: services})
	staff, _ := newManager(t, &session.Config{Services: services, Cookie: session.Cookie{Name: "__Host-staff"}})
	other, _ := newManager(t, nil)
	w := httptest.NewRecorder()
	shop.Handler(staff.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		check(t, "FromContext is the inner Manager's", session.FromContext(ctx) == staff.Session(ctx), true)
		check(t, "the outer Manager has another", shop.Session(ctx) != staff.Session(ctx), true)
		_, err := other.Session(ctx).Exists()
		checkErr(t, "the session of a Manager that is not there", err, session.ErrNoMiddleware)

		must(t, who.Set(session.NewContext(ctx, shop.Session(ctx)), "customer"))
		must(t, who.Set(ctx, "clerk"))
		got, err := service.QueryNamed[*session.Manager](ctx, "__Host-staff")
		must(t, err)
		check(t, "the second Manager is provided under its cookie's name", got == staff, true)
		got, err = service.Query[*session.Manager](ctx)
		must(t, err)
		check(t, "the first Manager is provided", got == shop, true)
	}))).ServeHTTP(w, httptest.NewRequest("GET", "https://example.com/", nil))
	for cookie, m := range map[string]*session.Manager{cookieName: shop, "__Host-staff": staff} {
		check(t, "a token is sent as "+cookie, opens(m, sentToken(w, cookie)), true)
	}
	check(t, "one Manager opens the other's token", opens(shop, sentToken(w, "__Host-staff")), false)

	_, err := session.New(newSpy(), &session.Config{
		Keys: [][]byte{keyA}, Services: services, Cookie: session.Cookie{Name: "__Host-staff"},
	})
	if err == nil || !strings.Contains(err.Error(), `"__Host-staff"`) {
		t.Errorf("New with a name that is taken: got error %v, want one that names the cookie", err)
	}
}

// mixedUp is a store that returns other records than it should.
type mixedUp struct {
	*spy
	load, commit func(*store.Record) *store.Record
}

func (s mixedUp) Load(ctx context.Context, token store.Token) (*store.Record, error) {
	rec, err := s.spy.Load(ctx, token)
	if err == nil && s.load != nil {
		rec = s.load(rec)
	}
	return rec, err
}

func (s mixedUp) Commit(ctx context.Context, token store.Token, change *store.Change) (*store.Record, error) {
	rec, err := s.spy.Commit(ctx, token, change)
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
	reads := func(ctx context.Context) error { _, err := who.Get(ctx); return err }
	writes := func(ctx context.Context) error {
		must(t, who.Set(ctx, "x"))
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
			var log logbook
			s := newSpy()
			token, alice := issue(t, newManagerOn(t, s, &session.Config{Keys: [][]byte{keyA}}), "alice")
			m := newManagerOn(t, mixedUp{s, tt.load, tt.commit}, &session.Config{Keys: [][]byte{keyA}, Logger: log.logger()})
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", "https://example.com/", nil)
			r.Header.Set("Cookie", cookieName+"="+token)
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				checkErr(t, "result", tt.do(r.Context()), session.ErrUnavailable)
				name, err := who.Get(r.Context())
				checkErr(t, "reading after that", err, session.ErrUnavailable)
				check(t, "who", name, "")
				check(t, "ID", session.FromContext(r.Context()).ID(), session.ID{})
			})).ServeHTTP(w, r)
			check(t, "cookies set", len(w.Result().Cookies()), 0)
			check(t, "log lines of the refusal", log.count("record refused"), 1)
			check(t, "log level", log.count("level=ERROR") >= 1, true)
			check(t, "log lines that name the session asked for", tt.load == nil || log.count(alice.ID().String()) <= 1, true)
		})
	}

	t.Run("at the creation", func(t *testing.T) {
		for name, wrong := range map[string]func(*store.Record) *store.Record{"none": none, "token": otherToken, "ID": otherID} {
			m := newManagerOn(t, mixedUp{newSpy(), nil, wrong}, nil)
			s, err := m.Create(t.Context())
			checkErr(t, "Create, with another "+name, err, session.ErrUnavailable)
			check(t, "there is a session", s != nil, false)
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
	raw := rawOf(s.t, keyA, name, signed)
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
type tattler struct{ *spy }

func (s tattler) tell(token store.Token, err error) error {
	if err != nil {
		err = fmt.Errorf("%w: asked for %v, %s, %x, %d, %#v", err, token, token, token, token, token)
	}
	return err
}

func (s tattler) Load(ctx context.Context, token store.Token) (*store.Record, error) {
	rec, err := s.spy.Load(ctx, token)
	return rec, s.tell(token, err)
}

func (s tattler) Commit(ctx context.Context, token store.Token, change *store.Change) (*store.Record, error) {
	rec, err := s.spy.Commit(ctx, token, change)
	if err != nil {
		err = fmt.Errorf("%w: %+v", err, *change)
	}
	return rec, s.tell(token, err)
}

func TestTokensShowNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logbook
		s := tattler{newSpy()}
		m := newManagerOn(t, s, &session.Config{Keys: [][]byte{keyA}, Logger: log.logger(), StoreTimeout: time.Second})
		watch := &secretWatch{t: t, forms: map[string]string{
			string(keyA): "a key", hex.EncodeToString(keyA): "a key in hex", "65 65 65 65 65 65": "a key in decimal",
		}}
		token, alice := issue(t, m, "alice")
		other, bob := issue(t, m, "bob")
		ended, carol := issue(t, m, "carol")
		must(t, alice.SetOwner("alice"))
		must(t, alice.Commit(t.Context()))
		for _, signed := range []string{token, other, ended} {
			watch.guard(signed, cookieName)
		}
		m.Subscribe(func(e session.Event) { watch.print("an Event", e); panic(e) })
		must(t, carol.End())

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
		gets := func(_ http.ResponseWriter, r *http.Request) error { _, err := who.Get(r.Context()); return err }
		sets := func(_ http.ResponseWriter, r *http.Request) error {
			return errors.Join(who.Set(r.Context(), "x"), session.FromContext(r.Context()).Commit(r.Context()))
		}
		renews := func(_ http.ResponseWriter, r *http.Request) error { return session.FromContext(r.Context()).Renew() }
		late := func(w http.ResponseWriter, r *http.Request) error {
			w.WriteHeader(http.StatusOK)
			return errors.Join(who.Set(r.Context(), "x"), session.FromContext(r.Context()).Renew())
		}
		ends := func(_ http.ResponseWriter, r *http.Request) error { return session.FromContext(r.Context()).End() }
		every := map[string]func(http.ResponseWriter, *http.Request) error{
			"get": gets, "set": sets, "renew": renews, "late": late, "end": ends,
		}
		lines := []string{
			cookieName + "=" + token, cookieName + "=" + token[1:], cookieName + "=" + ended,
			cookieName + "=" + token + "; " + cookieName + "=" + other, cookieName + "=." + token,
		}
		for _, broken := range []func(){
			func() { s.onLoad, s.onCommit, s.onEnd = fail, fail, fail },
			func() { s.onLoad, s.onCommit, s.onEnd = nil, fail, fail },
			func() { s.onLoad = func() error { return store.ErrRetired } },
			func() { s.onLoad, s.onCommit = nil, func() error { return store.ErrConflict } },
			func() { s.onCommit = func() error { return store.ErrNotFound } },
			func() { s.onLoad, s.onCommit, s.onEnd = nil, nil, nil },
		} {
			broken()
			for _, line := range lines {
				for _, do := range every {
					serve(line, do)
				}
				_, err := m.Open(t.Context(), strings.TrimPrefix(line, cookieName+"="))
				if err != nil {
					watch.print("an error of Open", err)
				}
			}
		}

		watch.print("a Session", bob)
		watch.print("a pointer to a Session in a struct", struct{ S *session.Session }{bob})
		watch.print("the Manager", m)
		watch.print("a Key", who)
		info, err := bob.Info()
		must(t, err)
		watch.print("Info", info)
		watch.print("an ID", bob.ID())
		for info, err := range m.Sessions(t.Context(), session.Filter{All: true}) {
			must(t, err)
			watch.print("a listed Info", info)
		}
		values, err := bob.Values()
		must(t, err)
		watch.print("the values", values)
		watch.print("a context with a Session", session.NewContext(context.Background(), bob))

		synctest.Wait()
		watch.look("the log", log.String())
		for _, line := range []string{"token refused", "store unavailable", "response refused", "a subscriber panicked"} {
			if log.count(line) == 0 {
				t.Errorf("the log has no line %q: this test drives less than it says", line)
			}
		}
	})
}
