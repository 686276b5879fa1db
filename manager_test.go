package session_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
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
	"github.com/lazysession/session/store/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A job makes a session, and another process continues it with its token.
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

// A bare store has the three methods of store.Store and no optional one.
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
	none := idsOf(t, m.Sessions(t.Context(), session.Filter{Owner: "ali"}))
	expect.Equal(t, "sessions of an owner whose name alice's begins with", len(none), 0)

	n := 0
	for range m.Sessions(t.Context(), session.Filter{All: true}) {
		n++
		break
	}
	expect.Equal(t, "sessions until the loop is left", n, 1)

	s.Clock.Advance(time.Hour)
	expect.Equal(t, "sessions after they have expired",
		len(idsOf(t, m.Sessions(t.Context(), session.Filter{All: true}))), 0)
}

// breaks is a store whose List fails after the first record.
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

// A store may return the record of another session, for example if a pooled connection gets a late answer. The Manager
// must neither show that record nor report success.
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
			m := fixture.NewManagerOn(t, mixedUp{s, tt.load, tt.commit},
				&session.Config{Keys: [][]byte{fixture.KeyA}, Logger: log.Logger()})
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
			named := log.Count(alice.ID().String())
			expect.Equal(t, "log lines that name the session asked for", tt.load == nil || named <= 1, true)
		})
	}

	t.Run("at the creation", func(t *testing.T) {
		wrongs := map[string]func(*store.Record) *store.Record{"none": none, "token": otherToken, "ID": otherID}
		for name, wrong := range wrongs {
			m := fixture.NewManagerOn(t, mixedUp{fixture.NewStore(), nil, wrong}, nil)
			s, err := m.Create(t.Context())
			expect.Is(t, "Create, with another "+name, err, session.ErrUnavailable)
			expect.Equal(t, "there is a session", s != nil, false)
		}
	})
}

// A pinger is a store whose Ping a test chooses.
type pinger struct {
	store.Store
	ping func(ctx context.Context) error
}

func (p pinger) Ping(ctx context.Context) error { return p.ping(ctx) }

func TestPing(t *testing.T) {
	s := fixture.NewStore()
	failing := func(context.Context) error { return fixture.ErrStore }
	unsupported := func(context.Context) error { return errors.ErrUnsupported }
	for _, tt := range []struct {
		name  string
		store store.Store
		load  error
		want  error
	}{
		{"by a store that can", pinger{s, func(context.Context) error { return nil }}, fixture.ErrStore, nil},
		{"by a store that can, and fails", pinger{s, failing}, nil, fixture.ErrStore},
		{"by a load", s, nil, nil},
		{"by a load, behind a store that only might", pinger{s, unsupported}, nil, nil},
		{"by a load that fails", s, fixture.ErrStore, fixture.ErrStore},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.Broken.Mend()
			if tt.load != nil {
				s.Broken.Fail(tt.load, sessiontest.Load)
			}
			err := fixture.NewManagerOn(t, tt.store, nil).Ping(t.Context())
			expect.Is(t, "Ping", err, tt.want)
			if tt.want != nil {
				expect.Is(t, "Ping", err, session.ErrUnavailable)
			}
		})
	}
}

func TestPingEndsWithTheStoreTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hanging := pinger{fixture.NewStore(), func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }}
		m := fixture.NewManagerOn(t, hanging, &session.Config{StoreTimeout: 3 * time.Second})
		start := time.Now()
		err := m.Ping(t.Context())
		expect.Equal(t, "waited", time.Since(start), 3*time.Second)
		expect.Is(t, "Ping", err, context.DeadlineExceeded)
		expect.Is(t, "Ping", err, session.ErrUnavailable)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		expect.Equal(t, "Ping with a context that is done ends", errors.Is(m.Ping(ctx), context.Canceled), true)
	})
}

// A mailer is a service of the application.
type mailer struct{ name string }

// within serves one request whose context has what outer adds to it, through each Manager from the outermost on.
func within(outer func(context.Context) context.Context, do func(ctx context.Context), managers ...*session.Manager) {
	var h http.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { do(r.Context()) })
	for i := range managers {
		h = managers[len(managers)-1-i].Handler(h)
	}
	r := httptest.NewRequest("GET", "/", nil)
	h.ServeHTTP(httptest.NewRecorder(), r.WithContext(outer(r.Context())))
}

func registryWith(t *testing.T, parent *service.Registry, name string) *service.Registry {
	t.Helper()
	r := service.NewRegistry(parent)
	expect.OK(t, service.Provide(r, &mailer{name}))
	return r
}

func wantServices(t *testing.T, ctx context.Context, m *session.Manager, mail string) {
	t.Helper()
	manager, err := service.Query[*session.Manager](ctx)
	expect.OK(t, err)
	expect.Equal(t, "Manager", manager, m)
	got, err := service.Query[*mailer](ctx)
	if mail == "" {
		expect.Is(t, "Query", err, service.ErrNotProvided)
		return
	}
	expect.OK(t, err)
	if got != nil {
		expect.Equal(t, "mailer", got.name, mail)
	}
}

func TestRegistryOfTheContextIsFound(t *testing.T) {
	m, other := fixture.NewManagerOn(t, mem.New(nil), nil), fixture.NewManagerOn(t, mem.New(nil), nil)
	given := fixture.NewManagerOn(t, mem.New(nil), &session.Config{Services: registryWith(t, nil, "given")})
	empty := fixture.NewManagerOn(t, mem.New(nil), &session.Config{Services: service.NewRegistry(nil)})
	outer := func(ctx context.Context) context.Context {
		return service.NewContext(ctx, registryWith(t, registryWith(t, nil, "parent"), "outer"))
	}
	within(outer, func(ctx context.Context) { wantServices(t, ctx, m, "outer") }, m)
	within(outer, func(ctx context.Context) { wantServices(t, ctx, m, "outer") }, other, m)
	within(outer, func(ctx context.Context) { wantServices(t, ctx, m, "outer") }, m, other, m)
	within(outer, func(ctx context.Context) { wantServices(t, ctx, m, "given") }, given, m)
	within(outer, func(ctx context.Context) { wantServices(t, ctx, given, "given") }, m, given)
	within(outer, func(ctx context.Context) { wantServices(t, ctx, empty, "") }, empty)
	none := func(ctx context.Context) context.Context { return ctx }
	within(none, func(ctx context.Context) { wantServices(t, ctx, m, "") }, m)

	// One put into the context inside the Manager hides both, unless it has the Manager's as its parent.
	within(outer, func(ctx context.Context) {
		child := service.NewContext(ctx, service.NewRegistry(service.FromContext(ctx)))
		wantServices(t, child, m, "outer")
		_, err := service.Query[*mailer](service.NewContext(ctx, service.NewRegistry(nil)))
		expect.Is(t, "Query in a registry without a parent", err, service.ErrNotProvided)
	}, m)
}
